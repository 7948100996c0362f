import { compareBytes, isSingleKey, toByteKey, toInterval } from './byte-key.js';
import type { ByteKey, Interval } from './byte-key.js';
import type { KeyRecord } from './key-record.js';
import type { TxnWork } from './txn-work.js';
import type { KeyValue, RangeContent, RangeRequest, Revision, SortTarget } from './types.js';

const NO_VALUE = new Uint8Array(0);

/** Where keys are read. */
export interface RangeSource {
  get(key: ByteKey): KeyRecord | undefined;
  /** Calls `visit` for the records of an interval in order, until it answers false. */
  visit(interval: Interval, visit: (record: KeyRecord) => boolean): void;
  /** How many keys of an interval are there now. */
  countLive(interval: Interval): number;
}

/**
 * Reads keys of a range as etcd does: `revision` 0 is now, otherwise one that is kept. Counting now
 * does not look at every key; a limit without filters and sorting ends the copying early. Values
 * are left out by {@link toAnswer} only.
 */
export function readRange(
  source: RangeSource,
  request: RangeRequest,
  { revision, limit }: { readonly revision: Revision; readonly limit: number },
  work: TxnWork,
): RangeContent {
  if (isSingleKey(request)) return readOne(source, request, revision);
  const interval = toInterval(request);
  const order = request.sortOrder ?? 'none';
  const target = request.sortTarget ?? 'key';
  /* etcd cuts off before it sorts when it was not told an order: so much more it then looks at. */
  const most = limit === 0 || order !== 'none' || hasBounds(request) ? Infinity : limit + 1;
  const kvs: KeyValue[] = [];
  let count = 0;
  const take = request.countOnly === true ? 0 : most;
  const now = revision === 0;
  if (!now || take > 0) {
    source.visit(interval, (record) => {
      const kv = now ? record.current : record.at(revision);
      if (kv === null) return true;
      count += 1;
      if (kvs.length < take) kvs.push(kv);
      return !now || kvs.length < take;
    });
  }
  if (now) count = source.countLive(interval);
  if (request.countOnly === true) return { kvs: [], more: false, count };
  const told = hasBounds(request) ? kvs.filter((kv) => withinBounds(kv, request)) : kvs;
  if (order === 'descend' || target !== 'key') {
    if (target !== 'key') work.sort(told, target === 'value');
    sort(told, target, order === 'descend');
  }
  const more = limit > 0 && told.length > limit;
  return { kvs: more ? told.slice(0, limit) : told, more, count };
}

function readOne(source: RangeSource, request: RangeRequest, revision: Revision): RangeContent {
  const record = source.get(toByteKey(request.key));
  const kv = revision === 0 ? record?.current : record?.at(revision);
  if (kv === undefined || kv === null) return { kvs: [], more: false, count: 0 };
  if (request.countOnly === true || !withinBounds(kv, request)) {
    return { kvs: [], more: false, count: 1 };
  }
  return { kvs: [kv], more: false, count: 1 };
}

/** What was read as it is answered. */
export function toAnswer(
  content: RangeContent,
  { keysOnly = false }: RangeRequest,
  work: TxnWork,
): RangeContent {
  work.answer(content.kvs, keysOnly);
  if (!keysOnly) return content;
  return { ...content, kvs: content.kvs.map((kv) => ({ ...kv, value: NO_VALUE })) };
}

function hasBounds(request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].some(
    (bound) => bound !== undefined && bound !== 0,
  );
}

function withinBounds({ modRevision, createRevision }: KeyValue, request: RangeRequest): boolean {
  return (
    modRevision >= (request.minModRevision ?? 0) &&
    modRevision <= (request.maxModRevision || Infinity) &&
    createRevision >= (request.minCreateRevision ?? 0) &&
    createRevision <= (request.maxCreateRevision || Infinity)
  );
}

/** `kvs` are in the order of their keys; equal ones stay so, downwards too. */
function sort(kvs: KeyValue[], target: SortTarget, down: boolean): void {
  if (target === 'key') {
    if (down) kvs.reverse();
    return;
  }
  const sign = down ? -1 : 1;
  if (target === 'value') kvs.sort((a, b) => sign * compareBytes(a.value, b.value));
  else kvs.sort((a, b) => sign * (sortNumber(a, target) - sortNumber(b, target)));
}

function sortNumber(kv: KeyValue, target: 'version' | 'create' | 'mod'): number {
  if (target === 'version') return kv.version;
  return target === 'create' ? kv.createRevision : kv.modRevision;
}
