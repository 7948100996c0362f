import type { Server } from 'node:net';
import type { Clock, Timer } from '@pawl/kernel';
import { lockFolder, openFsFolder } from '@pawl/raft/node';
import type { FolderLock, PeerTls, StorageFolder } from '@pawl/raft/node';
import { serveEtcd } from '../etcd-api/index.js';
import type { EtcdServer, EtcdTls } from '../etcd-api/index.js';
import { NothingStoredError, storedFolder } from '../inspect/stored-folder.js';
import { openQuorumOn } from '../quorum/open-quorum.js';
import { addressText } from '../quorum/peer-address.js';
import type { QuorumNode } from '../quorum/quorum-node.js';
import type { Compaction } from '../quorum/quorum-settings.js';
import { DEFAULT_STATE_LIMITS } from '../state/index.js';
import { MemberStartError } from './member-start-error.js';
import { checkPems, readPem } from './read-pem.js';
import { takePort } from './taken-port.js';

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
  readonly peersGiven: boolean;
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
  /**
   * Called once the folder is this process's own, before anything is begun in it: takes what else the
   * member cannot run without. A rejection is that of the start.
   */
  readonly prepare?: () => Promise<void>;
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

const PEER_PORT = { what: 'the other members of the quorum', setting: 'PAWL_PEER' };
const ETCD_PORT = { what: 'the coordination API', setting: 'PAWL_ETCD' };

/**
 * Opens a member and its coordination API. Rejects with a sentence for people when the folder is in
 * use, damaged, or another node's, and when an address cannot be listened on: a folder that was empty
 * is empty still then. Resolves before anybody leads; alone, the member leads by then.
 */
export async function openMember(options: MemberOptions): Promise<Member> {
  const { folder, settings, prepare } = options;
  const tls = { etcd: await etcdTls(settings.etcd.tls), peer: await peerTls(settings.peer.tls) };
  if (settings.forceNewCluster) await mustHoldMember(folder);
  const storage = await openFsFolder(folder);
  const undo: (() => Promise<void>)[] = [];
  const lock = await lockFolder(folder);
  undo.push(() => lock.release());
  try {
    await prepare?.();
    const peer = await takePort(settings.peer.listen, PEER_PORT);
    undo.push(() => peer.release());
    const etcd = await takePort(settings.etcd.listen, ETCD_PORT);
    undo.push(() => etcd.release());
    const node = await openNode(storage, options, { tls: tls.peer, taken: peer.server });
    undo.push(() => node.close());
    const api = await serveApi(node, options, { tls: tls.etcd, taken: etcd.server });
    return running(node, api, { settings, lock });
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => undefined);
    throw error;
  }
}

function running(
  node: QuorumNode,
  api: EtcdServer,
  { settings, lock }: { readonly settings: MemberSettings; readonly lock: FolderLock },
): Member {
  const address = addressText(settings.etcd.advertise ?? api.address);
  node.announce({ clientAddresses: [address] });
  const scheme = settings.etcd.tls === null ? 'http' : 'https';
  const { advertise } = settings.peer;
  const peerAddress = advertise === null ? (node.peerAddress ?? '') : addressText(advertise);
  const close = async (): Promise<void> => {
    await api.close();
    try {
      await node.close();
    } finally {
      await lock.release();
    }
  };
  return { node, peerAddress, etcdUrl: `${scheme}://${address}`, close };
}

/** In an emergency a mistyped folder must not become an empty quorum. */
async function mustHoldMember(folder: string): Promise<void> {
  try {
    await storedFolder(folder);
  } catch (error) {
    if (!(error instanceof NothingStoredError)) throw error;
    throw new MemberStartError(
      `${folder} holds no member: name the folder of the one that is left.`,
      { cause: error },
    );
  }
}

function openNode(
  storage: StorageFolder,
  options: MemberOptions,
  { tls, taken }: { readonly tls: PeerTls | undefined; readonly taken: Server },
): Promise<QuorumNode> {
  const { nodeId, settings, clock, timer, onFailure, onProblem } = options;
  const { peers, peersGiven, join, forceNewCluster, peer } = settings;
  const { snapshotCount, heartbeatMs, electionMs, compaction, quotaBytes } = settings;
  const { listen, advertise } = peer;
  const cluster = {
    listen: { ...listen, taken },
    peers,
    peersGiven,
    join,
    ...(advertise === null ? {} : { advertise: addressText(advertise) }),
    ...(tls === undefined ? {} : { tls }),
  };
  return openQuorumOn(storage, {
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
}

function serveApi(
  node: QuorumNode,
  { settings, timer, onProblem: log }: MemberOptions,
  { tls, taken }: { readonly tls: EtcdTls | undefined; readonly taken: Server },
): Promise<EtcdServer> {
  const secure = tls === undefined ? {} : { tls };
  return serveEtcd({ node, ...settings.etcd.listen, taken, timer, log, ...secure });
}

async function etcdTls(files: MemberSettings['etcd']['tls']): Promise<EtcdTls | undefined> {
  if (files === null) return undefined;
  const [cert, key] = [
    await readPem('PAWL_ETCD_CERT', files.cert),
    await readPem('PAWL_ETCD_KEY', files.key),
  ];
  const ca = files.ca === null ? null : await readPem('PAWL_ETCD_CA', files.ca);
  checkPems('PAWL_ETCD', { cert, key, ca });
  return { cert, key, ...(ca === null ? {} : { clientCa: ca }) };
}

async function peerTls(files: MemberSettings['peer']['tls']): Promise<PeerTls | undefined> {
  if (files === null) return undefined;
  const read = async (setting: string, file: string): Promise<string> =>
    (await readPem(setting, file)).toString();
  const pems = {
    cert: await read('PAWL_PEER_CERT', files.cert),
    key: await read('PAWL_PEER_KEY', files.key),
    ca: await read('PAWL_PEER_CA', files.ca),
  };
  checkPems('PAWL_PEER', pems);
  return pems;
}
