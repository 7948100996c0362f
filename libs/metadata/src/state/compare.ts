import { compareBytes } from './byte-key.js';
import type { Compare, CompareOperator, KeyValue } from './types.js';
import { NO_LEASE } from './types.js';

/** Whether a comparison holds for the keys of its range. */
export function holds(compare: Compare, kvs: readonly KeyValue[]): boolean {
  if (kvs.length > 0) return kvs.every((kv) => decide(compare.operator, difference(kv, compare)));
  return compare.target !== 'value' && decide(compare.operator, difference(null, compare));
}

function decide(operator: CompareOperator, sign: number): boolean {
  switch (operator) {
    case '=':
      return sign === 0;
    case '!=':
      return sign !== 0;
    case '<':
      return sign < 0;
    case '>':
      return sign > 0;
  }
}

/** Sign of (what is there - what is compared with). */
function difference(kv: KeyValue | null, compare: Compare): number {
  switch (compare.target) {
    case 'version':
      return (kv?.version ?? 0) - compare.value;
    case 'create':
      return (kv?.createRevision ?? 0) - compare.value;
    case 'mod':
      return (kv?.modRevision ?? 0) - compare.value;
    case 'lease': {
      const lease = kv?.lease ?? NO_LEASE;
      return lease === compare.value ? 0 : lease < compare.value ? -1 : 1;
    }
    case 'value':
      return kv === null ? 0 : compareBytes(kv.value, compare.value);
  }
}
