import { encodeRange, encodeTxn } from '../../libs/metadata/src/etcd/encode-txn.js';
import { KeyPrefix } from '../../libs/metadata/src/etcd/key-prefix.js';
import type * as rpc from '../../libs/metadata/src/etcd-protocol/messages.js';
import type { History, RandomRequests } from './random-requests.js';

const AS_THEY_ARE = new KeyPrefix(new Uint8Array(0));
const NOTHING = { compare: [], success: [], failure: [] };

type Txn = ReturnType<typeof encodeTxn>;
/** With what a comparison of two such watches looks at. */
export type WatchCreate = rpc.Written<rpc.WatchCreateRequest> & {
  readonly filters: readonly number[];
  readonly start_revision: string;
  readonly watch_id: string;
};

/** A method and what it is asked. */
export interface WireRequest {
  readonly service: 'KV' | 'Lease' | 'Maintenance';
  readonly method: string;
  readonly request: object;
}

/**
 * Requests by chance as they go over the wire: also such as no client of good manners makes, except
 * for numbers that an enum does not have, at which etcd crashes.
 */
export class RandomWire {
  constructor(private readonly requests: RandomRequests) {}

  write(history: History): WireRequest {
    const { requests } = this;
    const kv = (method: string, request: object): WireRequest => ({
      service: 'KV',
      method,
      request,
    });
    const kind = requests.pick(WRITES);
    if (kind === 'Txn') return kv('Txn', this.txn(history));
    if (kind === 'Put') return kv('Put', this.#put());
    if (kind === 'DeleteRange') return kv('DeleteRange', this.#deletion(history));
    return this.#lease(kind);
  }

  read(history: History): WireRequest {
    const { requests } = this;
    if (requests.chance(3)) {
      const request = { revision: `${requests.chance(50) ? 0 : requests.revision(history)}` };
      return { service: 'Maintenance', method: 'HashKV', request };
    }
    if (requests.chance(3)) return { service: 'Lease', method: 'LeaseLeases', request: {} };
    if (requests.chance(5)) {
      const request = { ID: `${requests.lease()}`, keys: requests.chance(80) };
      return { service: 'Lease', method: 'LeaseTimeToLive', request };
    }
    return { service: 'KV', method: 'Range', request: this.#range(history) };
  }

  compaction(history: History): WireRequest {
    const { requests } = this;
    const revision = requests.chance(10) ? -1 : requests.revision(history);
    const request = { revision: `${revision}`, physical: requests.chance(30) };
    return { service: 'KV', method: 'Compact', request };
  }

  watch(history: History): WatchCreate {
    const { requests } = this;
    // None below 0: etcd 3.4 then skips what other watches are to be told (pull request 20693).
    const start = requests.chance(20) ? 0 : requests.revision(history);
    const { key, rangeEnd } = requests.chance(90) ? requests.watched() : requests.keyRange();
    return {
      key,
      ...(rangeEnd && { range_end: rangeEnd }),
      start_revision: `${start}`,
      filters: requests.pick([[], [], [0], [1], [0, 1], [1, 1]]),
      prev_kv: requests.chance(50),
      // Few, so that they meet.
      watch_id: `${requests.chance(60) ? 0 : requests.pick([101, 102, 103, -5])}`,
    };
  }

  txn(history: History): Txn {
    const txn = encodeTxn(this.requests.txn(history), AS_THEY_ARE);
    return this.requests.chance(90) ? txn : this.#odd(txn);
  }

  /** Without what a comparison compares with, with an operation that is none, or one too deep. */
  #odd(txn: Txn): Txn {
    const { requests } = this;
    const none = new Uint8Array(0);
    switch (requests.pick(['compare', 'none', 'many', 'deep'])) {
      case 'compare':
        return {
          ...txn,
          compare: txn.compare.map(({ key = none, result = 0, target = 0 }) => ({
            key,
            result,
            target,
          })),
        };
      case 'none':
        return { ...txn, success: [...txn.success, {}] };
      case 'many':
        return { ...txn, success: [{ request_txn: { ...NOTHING, success: this.#many(100) } }] };
      default:
        return {
          ...txn,
          failure: this.#many(requests.pick([27, 28, 29, 30])),
          success: [{ request_txn: { ...NOTHING, success: this.#many(100) } }],
        };
    }
  }

  #many(count: number): rpc.Written<rpc.RequestOp>[] {
    return Array.from({ length: count }, () => ({
      request_range: { key: Buffer.from('a') },
    }));
  }

  #range(history: History): rpc.Written<rpc.RangeRequest> {
    const { requests } = this;
    const range = encodeRange(requests.range(history), AS_THEY_ARE);
    const odd = requests.chance(5);
    return {
      ...range,
      serializable: requests.chance(30),
      ...(odd && { limit: '-3' }),
      ...(requests.chance(3) && { revision: '-2' }),
      ...(requests.chance(3) && { min_mod_revision: '-1', max_create_revision: '-1' }),
    };
  }

  #put(): rpc.Written<rpc.PutRequest> {
    const [operation] = encodeTxn(
      { compare: [], success: [this.requests.put()], failure: [] },
      AS_THEY_ARE,
    ).success;
    if (operation?.request_put === undefined) throw new Error('no put');
    return operation.request_put;
  }

  #deletion(_history: History): rpc.Written<rpc.DeleteRangeRequest> {
    const { requests } = this;
    return { ...AS_THEY_ARE.addRange(requests.keyRange()), prev_kv: requests.chance(50) };
  }

  #lease(kind: string): WireRequest {
    const { requests } = this;
    const ID = `${requests.lease()}`;
    if (kind !== 'LeaseGrant') return { service: 'Lease', method: kind, request: { ID } };
    // Users' leases have positive ids here: negative ones are our own.
    const TTL = `${Math.max(1_000, requests.ttlMs() / 1000)}`;
    return { service: 'Lease', method: kind, request: { ID: ID.replace('-', ''), TTL } };
  }
}

const repeated = (count: number, method: string) => Array.from({ length: count }, () => method);
const WRITES = [
  ...repeated(12, 'Txn'),
  ...repeated(6, 'Put'),
  ...repeated(3, 'DeleteRange'),
  ...['LeaseGrant', 'LeaseRevoke', 'LeaseKeepAlive'],
];
