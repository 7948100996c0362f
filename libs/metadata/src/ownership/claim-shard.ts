import type { ShardMark } from '@pawl/engine';
import type { MetadataStore } from '../metadata-store.port.js';
import { NO_LEASE } from '../state/index.js';
import type { KeyValue, OperationResult, Revision } from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';
import type { NodeSession } from './node-session.js';
import { noteHighest } from './note-highest.js';
import {
  EPOCH_KEY,
  claimKey,
  decodeClaim,
  encodeRecord,
  isEpoch,
  memberKey,
} from './ownership-keys.js';
import type { ClaimRecord } from './ownership-keys.js';
import { decodeMark, encodeMark, markKey } from './shard-mark.js';

export interface Claimant {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly session: NodeSession;
}

export type ClaimOutcome =
  | {
      readonly kind: 'claimed';
      readonly epoch: string;
      readonly createRevision: Revision;
      /** How far the shard's truth had come; null: nothing is remembered. */
      readonly remembered: ShardMark | null;
    }
  /** Somebody else held it at that revision. */
  | { readonly kind: 'held'; readonly asOf: Revision }
  /** The lease or the member record has ended. */
  | { readonly kind: 'no-session' };

/**
 * Creates the claim under the node's lease if nobody has one, in a transaction that also sees that
 * the member record is this incarnation's and what the epoch is. A claim that this incarnation made
 * in an attempt whose answer was lost counts as made; one of another incarnation never does.
 */
export async function claimShard(
  store: MetadataStore,
  shard: number,
  claimant: Claimant,
): Promise<ClaimOutcome> {
  let { epoch } = claimant.session;
  for (;;) {
    const result = await store.txn(claimTxn(shard, epoch, claimant));
    if (!result.ok) {
      if (result.refusal === 'lease-not-found') return { kind: 'no-session' };
      throw new Error(`the claim of shard ${shard} was refused: ${result.refusal}`);
    }
    if (result.succeeded) {
      const [, remembered] = result.results.map(firstOf);
      const { revision: createRevision } = result;
      return { kind: 'claimed', epoch, createRevision, remembered: decodeMark(remembered?.value) };
    }
    const [claim, member, current, mark] = result.results.map(firstOf);
    if (claim !== null && claim !== undefined) {
      return (
        judgeClaim(claim, claimant, decodeMark(mark?.value)) ?? {
          kind: 'held',
          asOf: result.revision,
        }
      );
    }
    if (member?.createRevision !== claimant.session.memberRevision) return { kind: 'no-session' };
    const newer = current === null || current === undefined ? null : bytesToText(current.value);
    if (!isEpoch(newer) || newer === epoch) throw new Error('the metadata epoch cannot be read');
    epoch = newer;
  }
}

function claimTxn(
  shard: number,
  epoch: string,
  { nodeId, incarnation, session }: Claimant,
): Parameters<MetadataStore['txn']>[0] {
  const key = claimKey(shard);
  const member = memberKey(nodeId);
  const value = encodeRecord({ node: nodeId, incarnation, epoch });
  return {
    compare: [
      { key, target: 'create', operator: '=', value: 0 },
      { key: member, target: 'create', operator: '=', value: session.memberRevision },
      { key: EPOCH_KEY, target: 'value', operator: '=', value: textToBytes(epoch) },
    ],
    success: [
      { kind: 'put', key, value, lease: session.lease },
      { kind: 'range', key: markKey(shard) },
    ],
    failure: [
      { kind: 'range', key },
      { kind: 'range', key: member },
      { kind: 'range', key: EPOCH_KEY },
      { kind: 'range', key: markKey(shard) },
    ],
  };
}

/** Null when it is not this incarnation's. */
function judgeClaim(
  claim: KeyValue,
  { nodeId, incarnation, session }: Claimant,
  remembered: ShardMark | null,
): ClaimOutcome | null {
  const record = decodeClaim(claim.value);
  const own =
    record?.node === nodeId && record.incarnation === incarnation && claim.lease === session.lease;
  if (record === null || !own) return null;
  return { kind: 'claimed', epoch: record.epoch, createRevision: claim.createRevision, remembered };
}

/** A claim that was made, as the store keeps it. */
export interface MadeClaim {
  readonly shard: number;
  readonly epoch: string;
  readonly createRevision: Revision;
}

/**
 * Tells everybody that the claim's owner serves the shard since `servedAt` (RFC 3339 in UTC), and has
 * it remembered how far the shard's truth has come, where that is known. Changes
 * nothing, and answers so, when the claim is not the one that was made or the lease has ended.
 */
export async function markServed(
  store: MetadataStore,
  { shard, epoch, createRevision }: MadeClaim,
  { nodeId, incarnation, session }: Claimant,
  { servedAt, mark }: { readonly servedAt: string; readonly mark?: ShardMark | undefined },
): Promise<'marked' | 'gone' | 'no-session'> {
  const key = claimKey(shard);
  const value = encodeRecord({ node: nodeId, incarnation, epoch, servedAt });
  const result = await store.txn({
    compare: [{ key, target: 'create', operator: '=', value: createRevision }],
    success: [{ kind: 'put', key, value, lease: session.lease }, ...remembering(shard, mark)],
    failure: [],
  });
  if (result.ok) return result.succeeded ? 'marked' : 'gone';
  if (result.refusal === 'lease-not-found') return 'no-session';
  throw new Error(`telling that shard ${shard} is served was refused: ${result.refusal}`);
}

/**
 * Deletes the claim that was created at this revision, if it is still there, and has it remembered how
 * far the shard's truth has come, where that is known.
 */
export async function giveClaimBack(
  store: MetadataStore,
  shard: number,
  createRevision: Revision,
  mark?: ShardMark,
): Promise<void> {
  const key = claimKey(shard);
  const result = await store.txn({
    compare: [{ key, target: 'create', operator: '=', value: createRevision }],
    success: [{ kind: 'delete', key }, ...remembering(shard, mark)],
    failure: [],
  });
  const isGone = result.ok && !result.succeeded;
  if (isGone && mark !== undefined) await noteHighest(store, shard, mark);
}

/** The claim of a shard as the store has it now; null without one. */
export async function readClaim(
  store: MetadataStore,
  shard: number,
): Promise<{ readonly record: ClaimRecord | null; readonly createRevision: Revision } | null> {
  const found = await store.range({ key: claimKey(shard) });
  if (!found.ok) throw new Error(`reading the claim of shard ${shard}: ${found.refusal}`);
  const [kv] = found.kvs;
  if (kv === undefined) return null;
  return { record: decodeClaim(kv.value), createRevision: kv.createRevision };
}

/** Whether the claim that was created at this revision is still there. */
export async function claimStands(
  store: MetadataStore,
  shard: number,
  createRevision: Revision,
): Promise<boolean> {
  return (await readClaim(store, shard))?.createRevision === createRevision;
}

function remembering(
  shard: number,
  mark: ShardMark | undefined,
): { kind: 'put'; key: Uint8Array; value: Uint8Array; lease: bigint }[] {
  if (mark === undefined) return [];
  return [{ kind: 'put', key: markKey(shard), value: encodeMark(mark), lease: NO_LEASE }];
}

function firstOf(result: OperationResult): KeyValue | null {
  return result.kind === 'range' ? (result.kvs[0] ?? null) : null;
}
