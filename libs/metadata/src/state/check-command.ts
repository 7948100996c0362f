import { contains, toByteKey, toInterval } from './byte-key.js';
import type { Interval } from './byte-key.js';
import type { StateLimits } from './limits.js';
import type { Command, Operation, Refusal, Txn } from './types.js';

/** What is wrong with a command whatever the state is; null when nothing is. */
export function checkCommand(command: Command, limits: StateLimits): Refusal | null {
  switch (command.kind) {
    case 'txn':
      return checkTxn(command, limits);
    case 'lease-grant': {
      const { min, max } = limits.ttlMs;
      return command.ttlMs < min || command.ttlMs > max ? 'ttl-out-of-range' : null;
    }
    case 'lease-revoke':
    case 'lease-expire':
    case 'compact':
      return null;
  }
}

function checkTxn({ compare, success, failure }: Txn, limits: StateLimits): Refusal | null {
  const longest = Math.max(compare.length, success.length, failure.length);
  if (longest > limits.operations) return 'too-many-operations';
  const keys = [...compare, ...success, ...failure].map(({ key }) => key);
  if (keys.some((key) => key.length === 0)) return 'empty-key';
  if (keys.some((key) => key.length > limits.keyBytes)) return 'too-large';
  return checkBranch(success, limits) ?? checkBranch(failure, limits);
}

/** No key may be put twice in a branch, nor be put and deleted. */
function checkBranch(operations: readonly Operation[], limits: StateLimits): Refusal | null {
  const puts = new Set<string>();
  const deleted: Interval[] = [];
  for (const operation of operations) {
    if (operation.kind === 'delete') deleted.push(toInterval(operation));
    if (operation.kind !== 'put') continue;
    if (operation.value.length > limits.valueBytes) return 'too-large';
    const key = toByteKey(operation.key);
    if (puts.has(key)) return 'duplicate-key';
    puts.add(key);
  }
  for (const key of puts) {
    if (deleted.some((interval) => contains(interval, key))) return 'duplicate-key';
  }
  return null;
}
