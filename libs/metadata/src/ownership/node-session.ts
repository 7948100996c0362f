import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { MetadataStore } from '../metadata-store.port.js';
import type { KeyValue, LeaseId, Revision } from '../state/index.js';
import { NO_LEASE } from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';
import { EPOCH_KEY, decodeMember, encodeRecord, isEpoch, memberKey } from './ownership-keys.js';
import type { MemberRecord } from './ownership-keys.js';

/** A live process from another data folder bears this node's id. */
export class NodeIdInUseError extends Error {
  override readonly name = 'NodeIdInUseError';
}

/** This incarnation's lease and the member record under it. */
export interface NodeSession {
  readonly lease: LeaseId;
  readonly memberRevision: Revision;
  /** Of the metadata, as it was when this incarnation became a member. */
  readonly epoch: string;
}

export interface JoinOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly nodeId: string;
  readonly member: MemberRecord;
  readonly leaseTtlMs: number;
}

/** Time for a dead process's lease to run out, with a margin for its host's lateness. */
const PATIENCE_TTLS = 2;
const LOOK_AGAIN_PER_TTL = 20;
const RENEWALS_PER_TTL = 3;
const RETRIES_PER_TTL = 12;
const FIRST_EPOCH = '1';

/**
 * Makes this incarnation a member. An earlier one of the same node id and data folder is dead, since
 * the folder's lock is held: its lease, and with it its claims, are ended at once. A process from
 * another folder is waited for, for twice the TTL, and then respected with {@link NodeIdInUseError}.
 */
export async function joinCluster(options: JoinOptions): Promise<NodeSession> {
  const { store, clock, nodeId, member, leaseTtlMs } = options;
  const epoch = await findEpoch(store);
  const granted = await store.grantLease(leaseTtlMs);
  if (!granted.ok) throw new Error(`no lease of ${leaseTtlMs} ms: ${granted.refusal}`);
  const deadlineMs = clock.monotonicMs() + PATIENCE_TTLS * leaseTtlMs;
  for (;;) {
    const attempt = await putMember(options, granted.id);
    if ('memberRevision' in attempt) {
      return { lease: granted.id, memberRevision: attempt.memberRevision, epoch };
    }
    const { kv } = attempt;
    const record = kv === null ? null : decodeMember(kv.value);
    if (kv !== null && record?.folder === member.folder) {
      await endIncarnation(store, kv);
    } else if (clock.monotonicMs() >= deadlineMs) {
      await store.revokeLease(granted.id);
      throw new NodeIdInUseError(
        `node id "${nodeId}" is in use by a process with another data folder${record?.address === undefined ? '' : ` at ${record.address}`}; give this node another id`,
      );
    } else {
      await pause(options.timer, leaseTtlMs / LOOK_AGAIN_PER_TTL);
      await store.keepAlive(granted.id);
    }
  }
}

/** The first epoch is made together with the first member; it is raised by an operator only. */
async function findEpoch(store: MetadataStore): Promise<string> {
  const result = await store.txn({
    compare: [{ key: EPOCH_KEY, target: 'create', operator: '=', value: 0 }],
    success: [{ kind: 'put', key: EPOCH_KEY, value: textToBytes(FIRST_EPOCH), lease: NO_LEASE }],
    failure: [{ kind: 'range', key: EPOCH_KEY }],
  });
  if (!result.ok) throw new MetadataUnavailableError(`the epoch: ${result.refusal}`, 'no');
  if (result.succeeded) return FIRST_EPOCH;
  const [found] = result.results;
  const value = found?.kind === 'range' ? found.kvs[0]?.value : undefined;
  const epoch = value === undefined ? null : bytesToText(value);
  if (!isEpoch(epoch)) throw new Error('the metadata epoch cannot be read');
  return epoch;
}

async function putMember(
  { store, nodeId, member }: JoinOptions,
  lease: LeaseId,
): Promise<{ memberRevision: Revision } | { kv: KeyValue | null }> {
  const key = memberKey(nodeId);
  const result = await store.txn({
    compare: [{ key, target: 'create', operator: '=', value: 0 }],
    success: [{ kind: 'put', key, value: encodeRecord(member), lease }],
    failure: [{ kind: 'range', key }],
  });
  if (!result.ok) throw new MetadataUnavailableError(`joining: ${result.refusal}`, 'no');
  if (result.succeeded) return { memberRevision: result.revision };
  const [found] = result.results;
  return { kv: found?.kind === 'range' ? (found.kvs[0] ?? null) : null };
}

async function endIncarnation(store: MetadataStore, kv: KeyValue): Promise<void> {
  const ended = kv.lease === NO_LEASE ? null : await store.revokeLease(kv.lease);
  if (ended?.ok === true) return;
  const { key, createRevision } = kv;
  await store.txn({
    compare: [{ key, target: 'create', operator: '=', value: createRevision }],
    success: [{ kind: 'delete', key }],
    failure: [],
  });
}

function pause(timer: Timer, ms: number): Promise<void> {
  return new Promise((resolve) => {
    timer.after(ms, resolve);
  });
}

export interface KeepAliveOptions {
  readonly store: MetadataStore;
  readonly timer: Timer;
  readonly leaseTtlMs: number;
  /** The lease has ended, and with it the member record and every claim. */
  readonly ended: () => void;
  /** The store did not answer: nothing is known, and nothing changes. */
  readonly unanswered: (error: unknown) => void;
}

/**
 * Keeps a lease alive every third of its TTL, more often while the store does not answer, until it
 * is stopped or the lease has ended.
 */
export function keepSessionAlive(lease: LeaseId, options: KeepAliveOptions): () => void {
  const { store, timer, leaseTtlMs, ended, unanswered } = options;
  let stopped = false;
  let next: TimerHandle | null = null;
  const schedule = (perTtl: number): void => {
    if (!stopped) next = timer.after(leaseTtlMs / perTtl, () => void renew());
  };
  const renew = async (): Promise<void> => {
    try {
      const result = await store.keepAlive(lease);
      if (stopped) return;
      if (!result.ok) {
        stopped = true;
        ended();
        return;
      }
      schedule(RENEWALS_PER_TTL);
    } catch (error) {
      if (stopped) return;
      unanswered(error);
      schedule(RETRIES_PER_TTL);
    }
  };
  schedule(RENEWALS_PER_TTL);
  return () => {
    stopped = true;
    next?.cancel();
  };
}
