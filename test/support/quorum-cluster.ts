import { freePort } from '../../infra/dev/lib/ports.mjs';
import { etcdctlFor, type Etcdctl } from './etcdctl.js';
import { eventually } from './eventually.js';
import { QuorumProcess } from './quorum-process.js';
import { makeTemporaryFolder } from './temporary-folder.js';

const NAMES = ['n1', 'n2', 'n3'];
const SETTLES_WITHIN_MS = 60_000;

/** What a member says of itself, in the words of `etcdctl endpoint status -w json`. */
export interface EndpointStatus {
  readonly Endpoint: string;
  readonly Status: {
    readonly header: { readonly member_id: number; readonly revision: number };
    readonly leader: number;
    readonly raftTerm: number;
    readonly raftAppliedIndex: number;
  };
}

/** A quorum of three `pawl quorum` processes on addresses that outlive their restarts. */
export interface TestQuorum {
  readonly members: readonly QuorumProcess[];
  /** `host:port` of each, in their order. */
  readonly endpoints: readonly string[];
  /** Talks to all of them. */
  readonly etcdctl: Etcdctl;
  /** Once all three answer and follow one of them: that one. */
  settled(): Promise<QuorumProcess>;
  /** Ends all at once and removes their data. */
  stop(): Promise<void>;
}

export async function startQuorum(): Promise<TestQuorum> {
  const folder = await makeTemporaryFolder('quorum');
  const members: QuorumProcess[] = [];
  for (const name of NAMES) {
    const port = await freePort();
    members.push(await QuorumProcess.prepare(name, folder.path, ['--etcd-port', `${port}`]));
  }
  const stop = async () => {
    await Promise.all(members.map((member) => member.kill()));
    await folder.remove();
  };
  try {
    const peers = members.map(({ name, peerAddress }) => `${name}=${peerAddress}`).join(',');
    await Promise.all(members.map((member) => member.start(['--peers', peers])));
    const endpoints = members.map(({ endpoint }) => endpoint);
    const etcdctl = etcdctlFor(endpoints);
    const settled = () => eventually(() => leaderOf(members, etcdctl), SETTLES_WITHIN_MS);
    await settled();
    return { members, endpoints, etcdctl, settled, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function leaderOf(
  members: readonly QuorumProcess[],
  etcdctl: Etcdctl,
): Promise<QuorumProcess> {
  const { stdout, stderr } = await etcdctl.run(['endpoint', 'status', '-w', 'json']);
  const rows = JSON.parse(stdout) as readonly EndpointStatus[];
  if (rows.length !== members.length) throw new Error(`not all answer: ${stderr}`);
  const leaders = rows.filter(({ Status }) => Status.leader === Status.header.member_id);
  const followed = new Set(rows.map(({ Status }) => Status.leader));
  const leader = members.find(({ endpoint }) => endpoint === leaders[0]?.Endpoint);
  if (leader === undefined || leaders.length > 1 || followed.size > 1) {
    throw new Error(`no leader of all: ${stdout}`);
  }
  return leader;
}
