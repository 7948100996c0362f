import { contains, toByteKey, toInterval } from './byte-key.js';
import type { ByteKey, Interval } from './byte-key.js';
import type { StateLimits } from './limits.js';
import { checkMember } from './member-table.js';
import type { Command, CommandBody, Operation, PutOperation, Refusal, Txn } from './types.js';
import { NO_LEASE } from './types.js';

/** What is wrong with a command whatever the state is; null when nothing is. */
export function checkCommand(command: Command, limits: StateLimits): Refusal | null {
  switch (command.kind) {
    case 'txn':
      if (countOperations(command, limits.allOperations) > limits.allOperations) {
        return 'too-many-operations';
      }
      return checkShape(command, limits, limits.operations) ?? checkTwice(command);
    case 'lease-grant': {
      const { min, max } = limits.ttlMs;
      return command.ttlMs < min || command.ttlMs > max ? 'ttl-out-of-range' : null;
    }
    case 'member-put':
      return checkMember(command);
    case 'compact':
      return command.revision < 0 ? 'compacted' : null;
    default:
      return null;
  }
}

/** Whether a transaction, whatever its comparisons say, writes nothing: it can be read instead. */
export function isReadOnly({ success, failure }: Txn): boolean {
  return [...success, ...failure].every(
    (operation) =>
      operation.kind === 'range' || (operation.kind === 'txn' && isReadOnly(operation)),
  );
}

/** Whether a command writes for a user: leases of users have ids above 0. */
export function isUsers(command: CommandBody): boolean {
  switch (command.kind) {
    case 'txn':
    case 'lease-grant':
      return command.origin === 'user';
    case 'lease-revoke':
      return command.id > NO_LEASE;
    default:
      return false;
  }
}

/** Comparisons and operations on all levels; counting ends once there are more than `most`. */
function countOperations({ compare, success, failure }: Txn, most: number): number {
  let count = compare.length + success.length + failure.length;
  for (const branch of [success, failure]) {
    for (const operation of branch) {
      if (count > most) return count;
      if (operation.kind === 'txn') count += countOperations(operation, most - count);
    }
  }
  return count;
}

/** `most`: operations that this transaction may have; those inside it have what it leaves. */
function checkShape(txn: Txn, limits: StateLimits, most: number): Refusal | null {
  const { compare, success, failure } = txn;
  const longest = Math.max(compare.length, success.length, failure.length);
  if (longest > most) return 'too-many-operations';
  for (const item of compare) {
    const refusal = checkKeys(item, limits);
    if (refusal !== null) return refusal;
  }
  for (const item of [...success, ...failure]) {
    const refusal =
      item.kind === 'txn'
        ? checkShape(item, limits, most - longest)
        : (checkKeys(item, limits) ?? (item.kind === 'put' ? checkPut(item, limits) : null));
    if (refusal !== null) return refusal;
  }
  return null;
}

function checkKeys(
  { key, rangeEnd }: { key: Uint8Array; rangeEnd?: Uint8Array },
  limits: StateLimits,
): Refusal | null {
  if (key.length === 0) return 'empty-key';
  /* The end of the prefix that is the longest key is as long as it. */
  const longest = Math.max(key.length, rangeEnd?.length ?? 0);
  return longest > limits.keyBytes ? 'too-large' : null;
}

function checkPut(put: PutOperation, limits: StateLimits): Refusal | null {
  if (put.value.length > limits.valueBytes) return 'too-large';
  if (put.ignoreValue === true && put.value.length > 0) return 'value-provided';
  return put.ignoreLease === true && put.lease !== NO_LEASE ? 'lease-provided' : null;
}

function checkTwice({ success, failure }: Txn): Refusal | null {
  const fine = writesOf(success) !== null && writesOf(failure) !== null;
  return fine ? null : 'duplicate-key';
}

interface Writes {
  /** With whether the put keeps what is there. */
  readonly puts: Map<ByteKey, boolean>;
  readonly deletes: Interval[];
}

/**
 * Keys that a branch may put and ranges that it may delete; null when it could put a key twice, or
 * put what it deletes. As in etcd, a transaction inside may not put what one before it deletes, while
 * one after it may delete what it puts; what its two branches put counts once; and of deletions of
 * all keys from one on, which etcd overlooks, only those count that would leave nothing to keep.
 */
function writesOf(operations: readonly Operation[]): Writes | null {
  const writes: Writes = { puts: new Map(), deletes: [] };
  for (const operation of operations) {
    if (operation.kind === 'delete') writes.deletes.push(toInterval(operation));
  }
  for (const operation of operations) {
    if (operation.kind !== 'txn') continue;
    const [success, failure] = [writesOf(operation.success), writesOf(operation.failure)];
    if (success === null || failure === null) return null;
    const puts = new Map(success.puts);
    for (const [key, keeps] of failure.puts) puts.set(key, keeps || puts.get(key) === true);
    for (const [key, keeps] of puts) if (!addPut(writes, key, keeps)) return null;
    writes.deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const operation of operations) {
    if (operation.kind !== 'put') continue;
    const keeps = operation.ignoreValue === true || operation.ignoreLease === true;
    if (!addPut(writes, toByteKey(operation.key), keeps)) return null;
  }
  return writes;
}

function addPut({ puts, deletes }: Writes, key: ByteKey, keeps: boolean): boolean {
  const deleted = deletes.some(
    (interval) => (keeps || interval.until !== null) && contains(interval, key),
  );
  if (puts.has(key) || deleted) return false;
  puts.set(key, keeps);
  return true;
}
