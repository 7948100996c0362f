import { toByteKey } from './byte-key.js';
import { holds } from './compare.js';
import { versionCost } from './key-record.js';
import type { KeyStore } from './key-store.js';
import type { LeaseTable } from './lease-table.js';
import { toAnswer } from './read-range.js';
import type { TxnWork } from './txn-work.js';
import type {
  Compare,
  DeleteOperation,
  KeyValue,
  LeaseId,
  Operation,
  OperationResult,
  PutOperation,
  RangeOperation,
  Refusal,
  Revision,
  Txn,
} from './types.js';
import { NO_LEASE } from './types.js';

type Leaf = Exclude<Operation, { readonly kind: 'txn' }>;

/** A transaction whose comparisons are decided. */
export interface Plan {
  readonly succeeded: boolean;
  readonly steps: readonly (Leaf | Plan)[];
}

/**
 * Decides all comparisons, also of transactions inside, by the state as it is. Throws a
 * `TooMuchWorkError` when they look at too many keys.
 */
export function planTxn(txn: Txn, keys: KeyStore, work: TxnWork): Plan {
  const succeeded = txn.compare.every((compare) => compareHolds(compare, keys, work));
  const operations = succeeded ? txn.success : txn.failure;
  const steps = operations.map((item) => (item.kind === 'txn' ? planTxn(item, keys, work) : item));
  return { succeeded, steps };
}

function compareHolds(compare: Compare, keys: KeyStore, work: TxnWork): boolean {
  const { kvs } = keys.range(compare, 0, 0, work);
  if (compare.target === 'value') work.compare(kvs, compare.value.length);
  return holds(compare, kvs);
}

/** Why a plan cannot be done as a whole; null when it can. `leaseKeys`: most that go with a lease. */
export function checkPlan(
  plan: Plan,
  keys: KeyStore,
  leases: LeaseTable,
  leaseKeys: number,
): Refusal | null {
  const leaves = [...leavesOf(plan)];
  for (const leaf of leaves) {
    const refusal = leaf.kind === 'put' ? checkPut(leaf, keys, leases) : null;
    if (refusal !== null) return refusal;
  }
  for (const leaf of leaves) {
    const refusal = leaf.kind === 'range' ? checkRevision(leaf.revision ?? 0, keys) : null;
    if (refusal !== null) return refusal;
  }
  return checkLeases(leaves, leases, leaseKeys);
}

/** What the plan takes from a lease does not count. */
function checkLeases(leaves: readonly Leaf[], leases: LeaseTable, most: number): Refusal | null {
  const added = new Map<LeaseId, number>();
  for (const leaf of leaves) {
    if (leaf.kind !== 'put' || leaf.lease === NO_LEASE) continue;
    if (leases.hasKey(leaf.lease, toByteKey(leaf.key))) continue;
    const count = (added.get(leaf.lease) ?? 0) + 1;
    if (leases.countKeys(leaf.lease) + count > most) return 'lease-full';
    added.set(leaf.lease, count);
  }
  return null;
}

function checkPut(put: PutOperation, keys: KeyStore, leases: LeaseTable): Refusal | null {
  const keeps = put.ignoreValue === true || put.ignoreLease === true;
  if (keeps && keys.get(toByteKey(put.key)) === null) return 'key-not-found';
  return put.lease !== NO_LEASE && !leases.has(put.lease) ? 'lease-not-found' : null;
}

export function checkRevision(revision: Revision, keys: KeyStore): Refusal | null {
  if (revision === 0) return null;
  if (revision > keys.revision) return 'future-revision';
  return revision < keys.compactRevision ? 'compacted' : null;
}

/** What the puts of a plan add to the size of the store. */
export function costOf(plan: Plan, keys: KeyStore): number {
  let costBytes = 0;
  for (const leaf of leavesOf(plan)) {
    if (leaf.kind !== 'put') continue;
    const kept = leaf.ignoreValue === true ? keys.get(toByteKey(leaf.key))?.value : undefined;
    costBytes += versionCost(leaf.key, kept ?? leaf.value);
  }
  return costBytes;
}

function* leavesOf(plan: Plan): Generator<Leaf> {
  for (const step of plan.steps) {
    if ('steps' in step) yield* leavesOf(step);
    else yield step;
  }
}

/** What a transaction changes, and what it may do. */
export interface Scene {
  readonly keys: KeyStore;
  readonly leases: LeaseTable;
  readonly work: TxnWork;
}

/**
 * Does a plan that was checked; the caller commits. Throws a `TooMuchWorkError`, and leaves all as
 * it was, when that looks at too many keys or its answer becomes too large.
 */
export function performPlan(plan: Plan, scene: Scene): OperationResult[] {
  try {
    return performSteps(plan, scene);
  } catch (error) {
    scene.keys.rollback(({ record, kv }, before) => {
      scene.leases.move(record.id, kv.lease, before?.lease ?? NO_LEASE);
    });
    throw error;
  }
}

function performSteps(plan: Plan, scene: Scene): OperationResult[] {
  return plan.steps.map((step): OperationResult => {
    if ('steps' in step) {
      return { kind: 'txn', succeeded: step.succeeded, results: performSteps(step, scene) };
    }
    switch (step.kind) {
      case 'put':
        return performPut(step, scene);
      case 'delete':
        return performDelete(step, scene);
      case 'range':
        return performRange(step, scene);
    }
  });
}

function performPut(put: PutOperation, { keys, leases, work }: Scene): OperationResult {
  const key = toByteKey(put.key);
  const before = put.ignoreValue === true || put.ignoreLease === true ? keys.get(key) : null;
  const value = put.ignoreValue === true ? (before?.value ?? put.value) : put.value;
  const lease = put.ignoreLease === true ? (before?.lease ?? put.lease) : put.lease;
  const previous = keys.put(key, value, lease);
  leases.move(key, previous?.lease ?? NO_LEASE, lease);
  const told = put.prevKv === true ? previous : null;
  if (told !== null) work.answer([told]);
  return { kind: 'put', revision: keys.readRevision, previous: told };
}

function performDelete(operation: DeleteOperation, { keys, leases, work }: Scene): OperationResult {
  const deleted: KeyValue[] = [];
  const found = keys.liveKeys(operation, work);
  work.delete(found.length);
  for (const key of found) {
    const previous = keys.delete(key);
    if (previous === null) continue;
    leases.move(key, previous.lease, NO_LEASE);
    deleted.push(previous);
  }
  const previous = operation.prevKv === true ? deleted : [];
  work.answer(previous);
  return { kind: 'delete', revision: keys.readRevision, deleted: deleted.length, previous };
}

function performRange(operation: RangeOperation, { keys, work }: Scene): OperationResult {
  const { revision = 0, limit = 0 } = operation;
  const content = keys.range(operation, revision, limit, work);
  return { kind: 'range', revision: keys.readRevision, ...toAnswer(content, operation, work) };
}
