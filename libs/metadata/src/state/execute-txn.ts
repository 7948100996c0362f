import { toByteKey } from './byte-key.js';
import { holds } from './compare.js';
import { versionCost } from './key-store.js';
import type { KeyStore } from './key-store.js';
import type { LeaseTable } from './lease-table.js';
import type {
  Compare,
  DeleteOperation,
  KeyValue,
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

/** Decides all comparisons, also of transactions inside, by the state as it is. */
export function planTxn(txn: Txn, keys: KeyStore): Plan {
  const succeeded = txn.compare.every((compare) => compareHolds(compare, keys));
  const operations = succeeded ? txn.success : txn.failure;
  const steps = operations.map((item) => (item.kind === 'txn' ? planTxn(item, keys) : item));
  return { succeeded, steps };
}

function compareHolds(compare: Compare, keys: KeyStore): boolean {
  return holds(compare, keys.range(compare, 0, 0).kvs);
}

/** Why a plan cannot be done as a whole; null when it can. */
export function checkPlan(plan: Plan, keys: KeyStore, leases: LeaseTable): Refusal | null {
  const leaves = [...leavesOf(plan)];
  for (const leaf of leaves) {
    const refusal = leaf.kind === 'put' ? checkPut(leaf, keys, leases) : null;
    if (refusal !== null) return refusal;
  }
  for (const leaf of leaves) {
    const refusal = leaf.kind === 'range' ? checkRevision(leaf.revision ?? 0, keys) : null;
    if (refusal !== null) return refusal;
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

/** Does a plan that was checked; the caller commits. */
export function performPlan(plan: Plan, keys: KeyStore, leases: LeaseTable): OperationResult[] {
  return plan.steps.map((step): OperationResult => {
    if ('steps' in step) {
      const results = performPlan(step, keys, leases);
      return { kind: 'txn', succeeded: step.succeeded, results };
    }
    switch (step.kind) {
      case 'put':
        return performPut(step, keys, leases);
      case 'delete':
        return performDelete(step, keys, leases);
      case 'range':
        return performRange(step, keys);
    }
  });
}

function performPut(put: PutOperation, keys: KeyStore, leases: LeaseTable): OperationResult {
  const key = toByteKey(put.key);
  const before = put.ignoreValue === true || put.ignoreLease === true ? keys.get(key) : null;
  const value = put.ignoreValue === true ? (before?.value ?? put.value) : put.value;
  const lease = put.ignoreLease === true ? (before?.lease ?? put.lease) : put.lease;
  const previous = keys.put(key, value, lease);
  leases.move(key, previous?.lease ?? NO_LEASE, lease);
  return {
    kind: 'put',
    revision: keys.readRevision,
    previous: put.prevKv === true ? previous : null,
  };
}

function performDelete(
  operation: DeleteOperation,
  keys: KeyStore,
  leases: LeaseTable,
): OperationResult {
  const deleted: KeyValue[] = [];
  for (const key of keys.liveKeys(operation)) {
    const previous = keys.delete(key);
    if (previous === null) continue;
    leases.move(key, previous.lease, NO_LEASE);
    deleted.push(previous);
  }
  return {
    kind: 'delete',
    revision: keys.readRevision,
    deleted: deleted.length,
    previous: operation.prevKv === true ? deleted : [],
  };
}

function performRange(operation: RangeOperation, keys: KeyStore): OperationResult {
  const { revision = 0, limit = 0 } = operation;
  return {
    kind: 'range',
    revision: keys.readRevision,
    ...keys.range(operation, revision, limit),
  };
}
