import { CLI } from '../../../infra/dev/lib/repository.mjs';
import type { QuorumKind, QuorumPlan } from './quorum-process.js';
import { ServiceProcess } from './service-process.js';

const HOST = '127.0.0.1';
/** Its greeting is shorter. */
const GREETING_BYTES = 4096;

/** Members that are `pawl quorum` processes of the last build. */
export function pawlQuorum(): QuorumKind {
  return {
    name: 'pawl',
    peerUrl: (port) => `http://${HOST}:${port}`,
    make: (plan) =>
      new ServiceProcess(plan, {
        title: 'pawl quorum',
        command: process.execPath,
        args: [CLI, 'quorum', ...pawlArgs(plan)],
        env: environment(),
      }),
    // The greeting of a connection names the sender before the one it looks for.
    identify: (first, names) => {
      const places = names
        .map((name) => ({ name, at: first.indexOf(name, 0, 'latin1') }))
        .filter(({ at }) => at >= 0)
        .sort((a, b) => a.at - b.at);
      return places[0]?.name ?? (first.length > GREETING_BYTES ? '' : null);
    },
    isMember: (caller, { name }) => caller === name,
  };
}

/** Settings of the user's own Pawl stay out. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PAWL_'));
  return Object.fromEntries(kept);
}

function pawlArgs(plan: QuorumPlan): string[] {
  const { member, members, joins, heartbeatMs, electionMs, args } = plan;
  const peers = members.map(({ name, gatePort }) => `${name}=${HOST}:${gatePort}`);
  return [
    ...['--node-id', member.name, '--data-dir', member.dataFolder],
    ...['--peers', peers.join(','), '--peer-port', `${member.peerPort}`],
    ...['--etcd-port', `${member.clientPort}`, '--http-port', '0'],
    ...['--heartbeat-ms', `${heartbeatMs}`, '--election-ms', `${electionMs}`],
    ...(joins ? ['--join'] : []),
    ...args,
  ];
}
