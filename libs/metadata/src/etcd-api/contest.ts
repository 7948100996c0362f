import { status } from '@grpc/grpc-js';
import { REFUSALS } from '../etcd-protocol/refusals.js';
import { NO_LEASE } from '../state/index.js';
import type {
  Compare,
  KeyRange,
  KeyValue,
  LeaseId,
  OperationResult,
  RangeRequest,
  Refusal,
  Revision,
  Txn,
} from '../state/index.js';
import type { ApiContext } from './api-context.js';
import { StatusError, refused } from './status-error.js';
import { toLeaseId, toStoredKey, toStoredRange } from './user-keys.js';
import type { Waiting } from './wait-gate.js';
import { RETRY_MS, isPassing, pause, readPatiently, untilDeleted } from './waits.js';

/** A contender's place in the line behind a name: a key as it is stored, and its create revision. */
export interface Place {
  readonly key: Uint8Array;
  readonly revision: Revision;
}

/** What a contender has come to. */
export interface Turn {
  readonly place: Place;
  /** Users' form of the place's key. */
  readonly key: Buffer;
  /** The lease that the place goes with. */
  readonly lease: LeaseId;
  /** Of the store when the place was taken, and when its turn came. */
  readonly entered: Revision;
  readonly reached: Revision;
}

export interface Contender {
  readonly name: Buffer;
  /** 0: one is granted. */
  readonly lease: string;
  readonly value: Buffer;
  /** Whether a place that was there already gets this value too. */
  readonly proclaims: boolean;
  /** What the call ends with when the place was lost while it waited. */
  readonly lost: () => StatusError;
}

/** Of the lease of who brings none, as that of the sessions of etcd's clients. Nobody renews it. */
const SESSION_MS = 60_000;
const SLASH = Buffer.from('/');
/** The byte behind a slash: where keys below a name end. */
const PAST_SLASH = Buffer.from('0');

/**
 * Contenders for what bears a name, as etcd's `concurrency` package has them: each has a key below
 * the name, called after its lease. The oldest has what they contend for; every other one waits until
 * the key before its own is deleted, or its own, and nobody else is woken then.
 */
export class Contest {
  constructor(
    private readonly context: ApiContext,
    /** Aborted when the server closes. */
    private readonly closing: AbortSignal,
  ) {}

  /**
   * Takes a place, or finds the one of the same lease, and waits for its turn. Where that fails, or
   * the waiting is aborted, the place is given up.
   */
  async contend(contender: Contender, waiting: Waiting): Promise<Turn> {
    const { name, value } = contender;
    return this.withLease(contender.lease, async (lease) => {
      const key = Buffer.concat([name, SLASH, Buffer.from(lease.hex)]);
      const entry = await this.#enter(name, key, value, lease);
      const { place, revision } = entry;
      const reached = await this.#reach(contender, lease, entry, waiting.signal).catch(
        async (error: unknown) => {
          await this.#leave(place, waiting);
          throw error;
        },
      );
      if (reached === null) throw contender.lost();
      return { place, key, lease: lease.id, entered: revision, reached };
    });
  }

  /** Sets the value of a place; throws `election: not leader` when it is another's, or nobody's. */
  async proclaim(place: Place, value: Uint8Array, lease: LeaseId): Promise<Revision> {
    const put = { kind: 'put', key: place.key, value, lease } as const;
    const { revision, succeeded } = await this.#txn({ compare: [is(place)], success: [put] });
    if (!succeeded) throw NOT_LEADER();
    return revision;
  }

  /** Gives a place up, if it is still there. Throws as any write. */
  async resign(place: Place): Promise<Revision> {
    const { revision } = await this.#txn({
      compare: [is(place)],
      success: [{ kind: 'delete', key: place.key }],
    });
    return revision;
  }

  /** The oldest contender, or none. */
  async first(
    name: Buffer,
  ): Promise<{ readonly revision: Revision; readonly kv: KeyValue | undefined }> {
    const result = await this.context.node.range(oldestOf(below(name)));
    if (!result.ok) throw unknown(result.refusal);
    return { revision: result.revision, kv: result.kvs[0] };
  }

  /**
   * With the lease that is named, or one that is granted, and ended again where `use` fails. In etcd
   * such a lease runs out by itself.
   */
  async withLease<Result>(
    named: string,
    use: (lease: NamedLease) => Promise<Result>,
  ): Promise<Result> {
    if (BigInt(named) !== NO_LEASE) return use({ id: toLeaseId(named), hex: hexOf(BigInt(named)) });
    const { node } = this.context;
    const granted = await node.grantLease(SESSION_MS, NO_LEASE, { origin: 'user' });
    if (!granted.ok) throw unknown(granted.refusal);
    const { id } = granted;
    try {
      return await use({ id, hex: hexOf(id) });
    } catch (error) {
      await node.revokeLease(id).catch(() => undefined);
      throw error;
    }
  }

  /** Whoever stands behind it waits for that: where it cannot be done now, it is done later. */
  async #leave(place: Place, waiting: Waiting): Promise<void> {
    if (!(await this.#left(place))) waiting.keep(this.#leaveLater(place));
  }

  async #leaveLater(place: Place): Promise<void> {
    do {
      try {
        await pause(this.context.timer, RETRY_MS, this.closing);
      } catch {
        return;
      }
    } while (!(await this.#left(place)));
  }

  /** False: it is to be tried again. */
  async #left(place: Place): Promise<boolean> {
    try {
      await this.resign(place);
      return true;
    } catch (error) {
      if (isPassing(error)) return false;
      /* Nobody is answered with it; what should not be is written to the log. */
      this.context.toStatus(error);
      return true;
    }
  }

  async #enter(name: Buffer, userKey: Buffer, value: Buffer, lease: NamedLease): Promise<Entry> {
    const key = toStoredKey(userKey);
    const oldest = { kind: 'range', ...oldestOf(below(name)), keysOnly: true } as const;
    const { revision, succeeded, results } = await this.#txn({
      compare: [is({ key, revision: 0 })],
      success: [{ kind: 'put', key, value, lease: lease.id }, oldest],
      failure: [{ kind: 'range', key }, oldest],
    });
    const own = succeeded ? undefined : rangeOf(results[0])[0];
    const place = { key, revision: own?.createRevision ?? revision };
    const [holder] = rangeOf(results[1]);
    const first = holder === undefined || holder.createRevision === place.revision;
    return { place, revision, created: succeeded, first, value: own?.value ?? value };
  }

  /** As {@link #turn}; rejects with the signal's reason when that is aborted in the end. */
  async #reach(
    { name, value, proclaims }: Contender,
    lease: NamedLease,
    { place, revision, created, first, value: stands }: Entry,
    signal: AbortSignal,
  ): Promise<Revision | null> {
    /* Who has it already, and was told so, keeps it though nobody waits for this answer. */
    const known = first && !created;
    if (!known) signal.throwIfAborted();
    if (proclaims && !value.equals(stands)) await this.proclaim(place, value, lease.id);
    const reached = first ? revision : await this.#turn(name, place, signal);
    if (!known) signal.throwIfAborted();
    return reached;
  }

  /** Resolves with the revision at which nobody was ahead; null: the place is gone. */
  async #turn(name: Buffer, place: Place, signal: AbortSignal): Promise<Revision | null> {
    const { node, timer } = this.context;
    const ahead = newestOf(below(name), place.revision - 1);
    const look = { compare: [is(place)], success: [{ kind: 'range', ...ahead } as const] };
    for (;;) {
      const found = await readPatiently(timer, signal, () => this.#txn(look));
      if (!found.succeeded) return null;
      const [next] = rangeOf(found.results[0]);
      if (next === undefined) return found.revision;
      await untilDeleted(node, [next.key, place.key], found.revision + 1, signal);
    }
  }

  async #txn({ failure = [], ...txn }: Omit<Txn, 'failure'> & Partial<Txn>) {
    const result = await this.context.node.txn({ ...txn, failure }, { origin: 'user' });
    if (!result.ok) throw unknown(result.refusal);
    return result;
  }
}

/** How a contender found its place. */
interface Entry {
  readonly place: Place;
  readonly revision: Revision;
  /** Nobody else had made the place. */
  readonly created: boolean;
  readonly first: boolean;
  /** Of the place. */
  readonly value: Uint8Array;
}

/** A lease that a place goes with, and what its key is called after it. */
interface NamedLease {
  readonly id: LeaseId;
  readonly hex: string;
}

/**
 * What the store refuses, as these services of etcd tell it: they ask the others through a client of
 * the server's own, which keeps the texts and loses the codes.
 */
export function unknown(refusal: Refusal): StatusError {
  const { code, message } = refused(refusal);
  return new StatusError(refusal in REFUSALS ? status.UNKNOWN : code, message);
}

const failure = (text: string) => () => new StatusError(status.UNKNOWN, text);
/* In etcd's words. */
export const NOT_LEADER = failure('election: not leader');
export const NO_LEADER = failure('election: no leader');
export const SESSION_EXPIRED = failure('mutex: session is expired');
export const LEADER_MISSING = failure('"leader" field must be provided');

/** As Go writes it: a minus for those below 0. */
function hexOf(id: bigint): string {
  return id.toString(16);
}

/** All keys of contenders. */
export function below(name: Buffer): KeyRange {
  return toStoredRange({
    key: Buffer.concat([name, SLASH]),
    range_end: Buffer.concat([name, PAST_SLASH]),
  });
}

function oldestOf(keys: KeyRange): RangeRequest {
  return { ...keys, limit: 1, sortOrder: 'ascend', sortTarget: 'create' };
}

function newestOf(keys: KeyRange, maxCreateRevision: Revision): RangeRequest {
  const order = { limit: 1, sortOrder: 'descend', sortTarget: 'create' } as const;
  return { ...keys, ...order, keysOnly: true, maxCreateRevision };
}

/** Holds while the place is there; of revision 0, while no such key is. */
function is({ key, revision }: Place): Compare {
  return { target: 'create', operator: '=', key, value: revision };
}

function rangeOf(result: OperationResult | undefined): readonly KeyValue[] {
  if (result?.kind !== 'range') throw new Error(`the store answered a range with ${result?.kind}`);
  return result.kvs;
}
