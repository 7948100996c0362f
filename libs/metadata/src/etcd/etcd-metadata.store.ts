import type {
  LeaseResult,
  MetadataStore,
  MetadataWatch,
  RangeResult,
  Refused,
  StoreStatus,
  TxnResult,
  WatchRequest,
} from '../metadata-store.port.js';
import { isReadOnly } from '../state/index.js';
import type { LeaseId, RangeRequest, Refusal, Revision, Txn } from '../state/index.js';
import { textToBytes } from '../text.js';
import { decodeRange, decodeResult, revisionOf } from './decode-result.js';
import { encodeRange, encodeTxn } from './encode-txn.js';
import { EtcdClient, EtcdRefusal } from './etcd-client.js';
import type { Again, EtcdClientOptions } from './etcd-client.js';
import { EtcdWatches } from './etcd-watches.js';
import { findCompactRevision } from './find-compact-revision.js';
import { KeyPrefix } from './key-prefix.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { etcdMethod } from './etcd-method.js';

export interface EtcdMetadataOptions extends EtcdClientOptions {
  /** Keys are kept below it, in a cluster that others use, too; none by default. */
  readonly prefix?: string;
}

/**
 * Opens a store on an etcd cluster, 3.4 or newer. Rejects with `MetadataUnavailableError` when no
 * member answers within the time of a call.
 */
export async function openEtcdMetadata(options: EtcdMetadataOptions): Promise<EtcdMetadataStore> {
  const store = new EtcdMetadataStore(options);
  try {
    await store.status();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * The metadata store on a cluster of etcd. What differs from the embedded quorum:
 *
 * - Leases count seconds: `ttlMs` is rounded up, and etcd raises it to its least (2 s with its
 *   defaults); the answers say what it became.
 * - A refusal bears the newest revision that this client has heard of: etcd does not tell it.
 * - A watch from the next revision on begins after that, too: it may tell of changes just before.
 * - etcd before 3.4.36 and 3.5.20 forgets, by a compaction, deletions at the very compaction
 *   revision, and a watch from it does not tell of them.
 * - Limits are etcd's: keys are bounded by the size of a request alone.
 * - A watch that reconnects begins after what it heard last, which without changes in its range may
 *   be up to ten minutes old: if that is compacted by then, it ends with `WatchCompactedError`.
 * - `status` tells 0 for a compaction revision of 1: nothing is older, so the same can be read.
 * - It names members as etcd does, by numbers in hexadecimal, and leaves learners out.
 */
export class EtcdMetadataStore implements MetadataStore {
  readonly #client: EtcdClient;
  readonly #prefix: KeyPrefix;
  readonly #watches: EtcdWatches;
  /** Newest revision that any answer bore. */
  #heard: Revision = 0;
  #compactRevision: Revision = 0;

  constructor(options: EtcdMetadataOptions) {
    this.#client = new EtcdClient(options);
    this.#prefix = new KeyPrefix(textToBytes(options.prefix ?? ''));
    this.#watches = new EtcdWatches(this.#client, this.#prefix);
  }

  txn(txn: Txn): Promise<TxnResult> {
    return this.#orRefused(async () => {
      const request = encodeTxn(txn, this.#prefix);
      const again = isReadOnly(txn) ? 'none' : 'more';
      const answer = await this.#ask<rpc.TxnResponse>('KV', 'Txn', { request, again });
      const results = answer.responses.map((item) => decodeResult(item, this.#prefix));
      const { succeeded } = answer;
      return { ok: true, revision: revisionOf(answer), succeeded, results };
    });
  }

  range(request: RangeRequest): Promise<RangeResult> {
    return this.#orRefused(async () => {
      const answer = await this.#ask<rpc.RangeResponse>('KV', 'Range', {
        request: encodeRange(request, this.#prefix),
        again: 'none',
      });
      return { ok: true, revision: revisionOf(answer), ...decodeRange(answer, this.#prefix) };
    });
  }

  watch({ fromRevision = 0, ...range }: WatchRequest): MetadataWatch {
    const orNow = fromRevision === 0;
    // One below 0 would make etcd skip what other watches are to be told (pull request 20693).
    const from = orNow ? this.#heard + 1 : Math.max(1, fromRevision);
    return this.#watches.open(range, from, orNow);
  }

  grantLease(ttlMs: number, id: LeaseId = 0n): Promise<LeaseResult> {
    return this.#orRefused(async () => {
      // etcd would take it for its least.
      if (ttlMs < 1) return this.#refused('ttl-out-of-range');
      const answer = await this.#ask<rpc.LeaseAnswer>('Lease', 'LeaseGrant', {
        request: { TTL: `${Math.ceil(ttlMs / 1000)}`, ID: `${id}` },
        again: 'more',
      });
      return { ok: true, id: BigInt(answer.ID), ttlMs: Number(answer.TTL) * 1000 };
    });
  }

  keepAlive(id: LeaseId): Promise<LeaseResult> {
    return this.#orRefused(async () => {
      const answer = await this.#ask<rpc.LeaseAnswer>('Lease', 'LeaseKeepAlive', {
        request: { ID: `${id}` },
        again: 'same',
      });
      const ttlMs = Number(answer.TTL) * 1000;
      return ttlMs > 0 ? { ok: true, id, ttlMs } : this.#refused('lease-not-found');
    });
  }

  revokeLease(id: LeaseId): Promise<{ ok: true; revision: Revision } | Refused> {
    return this.#orRefused(async () => {
      const request = { ID: `${id}` };
      const answer = await this.#ask('Lease', 'LeaseRevoke', { request, again: 'more' });
      return { ok: true, revision: revisionOf(answer) };
    });
  }

  compact(revision: Revision): Promise<{ ok: true; revision: Revision } | Refused> {
    return this.#orRefused(async () => {
      const request = { revision: `${revision}` };
      const answer = await this.#ask('KV', 'Compact', { request, again: 'more' });
      return { ok: true, revision: revisionOf(answer) };
    });
  }

  async status(): Promise<StoreStatus> {
    const read = { request: {}, again: 'none' } as const;
    const [status, { members }] = await Promise.all([
      this.#ask<rpc.StatusResponse>('Maintenance', 'Status', read),
      this.#ask<rpc.MembersResponse>('Cluster', 'MemberList', read),
    ]);
    const voters = members.filter(({ isLearner }) => !isLearner);
    this.#compactRevision = await findCompactRevision(this, this.#compactRevision);
    return {
      clusterId: hexadecimal(status.header?.cluster_id ?? '0'),
      members: voters.map(({ ID }) => hexadecimal(ID)).sort(),
      leader: status.leader === '0' ? null : hexadecimal(status.leader),
      term: Number(status.raftTerm),
      revision: this.#heard,
      compactRevision: this.#compactRevision,
      sizeBytes: Number(status.dbSize),
    };
  }

  /** Ends watches and what is under way, and the connections. */
  async close(): Promise<void> {
    this.#watches.close();
    this.#client.close();
  }

  async #ask<Answer extends rpc.Answer>(
    service: 'KV' | 'Lease' | 'Cluster' | 'Maintenance',
    method: string,
    { request, again }: { readonly request: unknown; readonly again: Again },
  ): Promise<Answer> {
    const answer = await this.#client.call<Answer>(etcdMethod(service, method), request, again);
    this.#heard = Math.max(this.#heard, revisionOf(answer));
    return answer;
  }

  /** What etcd refuses, as a value. */
  async #orRefused<Result>(work: () => Promise<Result>): Promise<Result | Refused> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof EtcdRefusal) return this.#refused(error.refusal);
      throw error;
    }
  }

  #refused(refusal: Refusal): Refused {
    return { ok: false, refusal, revision: this.#heard };
  }
}

/** As etcdctl prints ids. */
function hexadecimal(id: rpc.Int64): string {
  return BigInt(id).toString(16);
}
