import type { Compare, CompareOperator, SortOrder, SortTarget } from '../state/index.js';

/* Each in the order of the numbers that etcd's protocol has for them. */
export const SORT_ORDERS: readonly SortOrder[] = ['none', 'ascend', 'descend'];
export const SORT_TARGETS: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
export const COMPARE_OPERATORS: readonly CompareOperator[] = ['=', '>', '<', '!='];
export const COMPARE_TARGETS: readonly Compare['target'][] = [
  'version',
  'create',
  'mod',
  'value',
  'lease',
];
