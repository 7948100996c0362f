import { etcdEnvironment } from '../../../infra/dev/lib/etcd-binaries.mjs';
import type { QuorumKind, QuorumPlan } from './quorum-process.js';
import { ServiceProcess } from './service-process.js';

const HOST = '127.0.0.1';
const FROM = /^X-Server-From: ([0-9a-f]+)\r$/im;
/** Headers that are longer are not those of a member. */
const MOST_HEADER_BYTES = 16 * 1024;

const url = (port: number) => `http://${HOST}:${port}`;

/** Members that are real etcd processes, of the program at `server`. */
export function etcdQuorum(server: string): QuorumKind {
  return {
    name: 'etcd',
    peerUrl: url,
    make: (plan) =>
      new ServiceProcess(plan, {
        title: 'etcd',
        command: server,
        args: etcdArgs(plan),
        env: etcdEnvironment(),
      }),
    // Each of its requests to another member names the sender's number.
    identify: (first) => {
      const text = first.toString('latin1');
      const from = FROM.exec(text)?.[1];
      if (from !== undefined) return `${BigInt(`0x${from}`)}`;
      return text.includes('\r\n\r\n') || first.length > MOST_HEADER_BYTES ? '' : null;
    },
    isMember: (caller, { memberId }) => caller === memberId,
  };
}

function etcdArgs({ member, members, joins, token, heartbeatMs, electionMs, args }: QuorumPlan) {
  const cluster = members.map(({ name, gatePort }) => `${name}=${url(gatePort)}`);
  return [
    ...['--name', member.name, '--data-dir', member.dataFolder],
    ...['--listen-client-urls', url(member.clientPort)],
    ...['--advertise-client-urls', url(member.clientPort)],
    ...['--listen-peer-urls', url(member.peerPort)],
    ...['--initial-advertise-peer-urls', url(member.gatePort)],
    ...['--initial-cluster', cluster.join(','), '--initial-cluster-token', token],
    ...['--initial-cluster-state', joins ? 'existing' : 'new'],
    ...['--heartbeat-interval', `${heartbeatMs}`, '--election-timeout', `${electionMs}`],
    // Off unless asked for in 3.4.
    '--pre-vote',
    ...['--logger', 'zap', '--log-level', 'warn'],
    ...args,
  ];
}
