import type { Clock, Timer } from '@pawl/kernel';
import type { PeerTls } from '@pawl/raft/node';
import { serveEtcd } from '../etcd-api/index.js';
import type { EtcdTls } from '../etcd-api/index.js';
import { openQuorum } from '../quorum/open-quorum.js';
import { addressText } from '../quorum/peer-address.js';
import type { QuorumNode } from '../quorum/quorum-node.js';
import type { Compaction } from '../quorum/quorum-settings.js';
import { DEFAULT_STATE_LIMITS } from '../state/index.js';
import { explainListen } from './member-start-error.js';
import { readPem } from './read-pem.js';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

interface Place {
  readonly listen: HostPort;
  readonly advertise: HostPort | null;
}

interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** The settings of a member, as `PAWL_…` gives them. */
export interface MemberSettings {
  readonly peers: readonly (HostPort & { readonly id: string })[];
  readonly join: boolean;
  readonly forceNewCluster: boolean;
  readonly peer: Place & { readonly tls: (TlsFiles & { readonly ca: string }) | null };
  readonly etcd: Place & { readonly tls: (TlsFiles & { readonly ca: string | null }) | null };
  readonly snapshotCount: number;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly compaction: Compaction;
  readonly quotaBytes: number;
}

export interface MemberOptions {
  /** Of the member's own files; made if it is missing. */
  readonly folder: string;
  readonly nodeId: string;
  readonly settings: MemberSettings;
  readonly clock: Clock;
  readonly timer: Timer;
  /** Called once if the member stops by itself, for good. */
  readonly onFailure: (error: Error) => void;
  /** One line for people; may come often. */
  readonly onProblem: (text: string) => void;
}

/** A member of the quorum that serves its coordination API. */
export interface Member {
  readonly node: QuorumNode;
  /** Where the other members find it: `host:port`. */
  readonly peerAddress: string;
  /** Base URL of the coordination API. */
  readonly etcdUrl: string;
  /** Takes no more calls, hands leadership over if it can, closes files and sockets. */
  close(): Promise<void>;
}

/** What Pawl itself may store above the users' quota. */
const OWN_BYTES = DEFAULT_STATE_LIMITS.totalBytes - DEFAULT_STATE_LIMITS.userBytes;

/**
 * Opens a member and its coordination API. Rejects with a sentence for people when the folder is in
 * use, damaged, or another node's, and when an address cannot be listened on. Resolves before anybody
 * leads; alone, the member leads by then.
 */
export async function openMember(options: MemberOptions): Promise<Member> {
  const { settings, timer, onProblem } = options;
  const tls = await etcdTls(settings.etcd.tls);
  const node = await openNode(options);
  try {
    const api = await serveApi(node, { settings, tls, timer, log: onProblem });
    const { host, port } = api.address;
    const address = addressText(settings.etcd.advertise ?? { host, port });
    node.announce({ clientAddresses: [address] });
    const scheme = tls === undefined ? 'http' : 'https';
    const close = async (): Promise<void> => {
      await api.close();
      await node.close();
    };
    const { advertise } = settings.peer;
    const peerAddress = advertise === null ? (node.peerAddress ?? '') : addressText(advertise);
    return { node, peerAddress, etcdUrl: `${scheme}://${address}`, close };
  } catch (error) {
    await node.close();
    throw error;
  }
}

async function openNode(options: MemberOptions): Promise<QuorumNode> {
  const { folder, nodeId, settings, clock, timer, onFailure, onProblem } = options;
  const { peers, join, forceNewCluster, peer } = settings;
  const { snapshotCount, heartbeatMs, electionMs, compaction, quotaBytes } = settings;
  const { listen, advertise } = peer;
  const tls = await peerTls(peer.tls);
  const cluster = {
    listen,
    peers,
    join,
    ...(advertise === null ? {} : { advertise: addressText(advertise) }),
    ...(tls === undefined ? {} : { tls }),
  };
  try {
    return await openQuorum({
      dataDir: folder,
      nodeId,
      cluster,
      forceNewCluster,
      clock,
      timer,
      onFailure,
      onProblem,
      raft: { snapshotEntries: snapshotCount, heartbeatMs, electionMs },
      settings: { compaction },
      limits: { userBytes: quotaBytes, totalBytes: quotaBytes + OWN_BYTES },
    });
  } catch (error) {
    const what = 'the other members of the quorum';
    throw explainListen(error, { address: addressText(listen), what, setting: 'PAWL_PEER' });
  }
}

async function serveApi(
  node: QuorumNode,
  options: {
    readonly settings: MemberSettings;
    readonly tls: EtcdTls | undefined;
    readonly timer: Timer;
    readonly log: (text: string) => void;
  },
): ReturnType<typeof serveEtcd> {
  const { settings, tls, timer, log } = options;
  const { listen } = settings.etcd;
  try {
    return await serveEtcd({ node, ...listen, timer, log, ...(tls === undefined ? {} : { tls }) });
  } catch (error) {
    const what = 'the coordination API';
    throw explainListen(error, { address: addressText(listen), what, setting: 'PAWL_ETCD' });
  }
}

async function etcdTls(files: MemberSettings['etcd']['tls']): Promise<EtcdTls | undefined> {
  if (files === null) return undefined;
  const [cert, key] = [
    await readPem('PAWL_ETCD_CERT', files.cert),
    await readPem('PAWL_ETCD_KEY', files.key),
  ];
  if (files.ca === null) return { cert, key };
  return { cert, key, clientCa: await readPem('PAWL_ETCD_CA', files.ca) };
}

async function peerTls(files: MemberSettings['peer']['tls']): Promise<PeerTls | undefined> {
  if (files === null) return undefined;
  const read = async (setting: string, file: string): Promise<string> =>
    (await readPem(setting, file)).toString();
  return {
    cert: await read('PAWL_PEER_CERT', files.cert),
    key: await read('PAWL_PEER_KEY', files.key),
    ca: await read('PAWL_PEER_CA', files.ca),
  };
}
