import { assert } from '@pawl/kernel';
import type {
  Changeset,
  CommitOutcome,
  ConsumerRecord,
  Fence,
  FencingToken,
  Installation,
  KnownTruth,
  RestoreAcceptance,
  RestoreOutcome,
  ShardMark,
} from '@pawl/engine';
import { FakeStatusStore } from '../../../libs/engine/src/testing/fake-status-store.js';
import { copyOf } from '../../../libs/engine/src/testing/fake-truth-rows.js';
import { FakeTruthStore } from '../../../libs/engine/src/testing/fake-truth-store.js';
import { SessionEndedError, ShardLocks } from './shard-locks.js';
import type { Wire } from './wire.js';

/** Nobody takes connections. */
export class ConnectionRefusedError extends Error {
  override readonly name = 'ConnectionRefusedError';
}

/** A transaction that sits idle for so long is ended with its session: below the lease's TTL. */
const IDLE_IN_TRANSACTION_MS = 1_200;

/** Told of everything that takes effect, at once. */
export interface TruthWitness {
  raised(fence: Fence, owner: string): void;
  committed(fence: Fence, changesets: readonly Changeset[]): void;
  /** Marks, status, sweeps. */
  wrote(what: string, fence: Fence): void;
  /** A restore was accepted, of these shards. */
  accepted(generation: number, shards: readonly number[]): void;
  /** Rows were read under this fence. */
  read(what: string, fence: Fence): void;
}

/** One connection, as the server knows it. */
export interface ServerSession {
  readonly id: number;
  ended: boolean;
  /** Shard whose transaction is open. */
  shard: number | null;
  /** Counts statements, so that an idle time-out knows whether it is still about the same pause. */
  statements: number;
}

/**
 * PostgreSQL for a simulated world: sessions, transactions that hold a shard's lock from their first
 * statement to their end, and the tables, which are those of {@link FakeTruthStore}. COMMIT checks
 * no fence, as PostgreSQL checks none: what keeps a former owner out is the lock and the statement
 * that reads the fence after it.
 */
export class SimulatedPostgres {
  readonly tables: FakeTruthStore;
  readonly status: FakeStatusStore;
  readonly #locks = new ShardLocks();
  readonly #sessions = new Map<number, ServerSession>();
  readonly #fences = new Map<number, bigint>();
  /** Shards whose fences were raised on this very server: elsewhere they hold nothing. */
  readonly #raisedHere = new Set<number>();
  /** What waits for the server to go on. */
  #stalled: (() => void)[] = [];
  #state: 'up' | 'refusing' | 'stalled' = 'up';
  #count = 0;

  constructor(
    installation: Installation,
    private readonly wire: Wire,
    private readonly witness: TruthWitness,
  ) {
    this.tables = new FakeTruthStore(installation, () => wire.time.monotonicMs());
    this.status = new FakeStatusStore(installation.shards);
  }

  /** Highest token that the fence of this shard was raised to. */
  highest(shard: number): bigint {
    return this.#fences.get(shard) ?? 0n;
  }

  /** A copy of everything; calling the answer puts it back, under another timeline where it is told. */
  keep(): (timeline?: string) => void {
    const parts = [this.tables.backup(), this.status.backup(), copyOf(this.#fences)];
    return (timeline) => {
      this.restart();
      for (const putBack of parts) putBack();
      if (timeline === undefined) return;
      this.tables.server = timeline;
      this.#raisedHere.clear();
    };
  }

  get state(): 'up' | 'refusing' | 'stalled' {
    return this.#state;
  }

  resume(): void {
    this.#state = 'up';
    for (const go of this.#stalled.splice(0)) go();
  }

  /** Takes no new connection; who has one goes on. */
  refuse(): void {
    if (this.#state === 'up') this.#state = 'refusing';
  }

  /** Answers nothing until it is resumed, and then what was asked meanwhile. */
  stall(): void {
    if (this.#state === 'up') this.#state = 'stalled';
  }

  /** Every session ends, and with it what is not committed. */
  restart(): void {
    for (const session of [...this.#sessions.values()]) this.end(session);
  }

  open(): ServerSession {
    this.#count += 1;
    return { id: this.#count, ended: false, shard: null, statements: 0 };
  }

  /** Rolls back what the session has open, and closes it. */
  end(session: ServerSession): void {
    session.ended = true;
    session.shard = null;
    this.#sessions.delete(session.id);
    this.#locks.release(session.id);
  }

  /** A client has gone; the server notices once it gets to it, after what was sent before. */
  async hangUp(session: ServerSession): Promise<void> {
    if (this.#state === 'stalled') await new Promise<void>((go) => this.#stalled.push(go));
    this.end(session);
  }

  /** Does a statement of a session, once the server gets to it. */
  async serve<T>(session: ServerSession, statement: () => T | Promise<T>): Promise<T> {
    if (this.#state === 'stalled') await new Promise<void>((go) => this.#stalled.push(go));
    if (session.ended) throw new SessionEndedError('the server has ended the session');
    if (!this.#sessions.has(session.id)) {
      if (this.#state === 'refusing') throw new ConnectionRefusedError('connection refused');
      this.#sessions.set(session.id, session);
    }
    session.statements += 1;
    const answer = await statement();
    if (session.ended) throw new SessionEndedError('the server has ended the session');
    this.#watchIdle(session);
    return answer;
  }

  /** BEGIN, and the shard's lock in the first statement. */
  async begin(session: ServerSession, shard: number): Promise<void> {
    session.shard = shard;
    await this.#locks.acquire(session.id, shard, 'shared');
  }

  /** The fence row, as the next statement sees it; 0 where it was raised on another server. */
  fence(shard: number): bigint {
    return this.#raisedHere.has(shard) ? this.highest(shard) : 0n;
  }

  async commit(
    session: ServerSession,
    fence: Fence,
    changesets: readonly Changeset[],
    known?: KnownTruth,
  ): Promise<CommitOutcome> {
    assert(session.shard === fence.shard, 'a transaction of this shard is open');
    const outcome = await this.tables.commitAll(this.#rowFence(fence.shard), changesets, known);
    if (outcome.kind === 'committed') this.witness.committed(fence, changesets);
    this.finish(session);
    return outcome;
  }

  /** COMMIT of a transaction that writes something else. */
  async write<T>(
    session: ServerSession,
    fence: Fence,
    what: string,
    apply: (fence: Fence) => Promise<T>,
  ): Promise<T> {
    assert(session.shard === fence.shard, 'a transaction of this shard is open');
    const result = await apply(this.#rowFence(fence.shard));
    this.witness.wrote(what, fence);
    this.finish(session);
    return result;
  }

  /** Rows and fence in one snapshot; refused under another token than the fence's. */
  async read<T>(fence: Fence, what: string, rows: (fence: Fence) => Promise<T>): Promise<T> {
    const found = await rows(fence);
    this.witness.read(what, fence);
    return found;
  }

  async loadStatus(fence: Fence): Promise<readonly ConsumerRecord[]> {
    return this.status.load(fence);
  }

  /** One call of a function: waits for the shard's writers, ends them after the grace, raises. */
  async raiseFence(
    session: ServerSession,
    fence: Fence,
    by: { readonly owner: string; readonly remembered: ShardMark | null },
    graceMs: number,
  ): Promise<'raised' | 'superseded'> {
    session.shard = fence.shard;
    this.wire.later(graceMs, () => this.#endBlockers(session, fence.shard));
    await this.#locks.acquire(session.id, fence.shard, 'exclusive');
    const outcome = await this.tables.raiseFence(fence, by.owner, by.remembered);
    if (outcome === 'raised') {
      this.#fences.set(fence.shard, fence.token);
      this.#raisedHere.add(fence.shard);
      this.witness.raised(fence, by.owner);
    }
    this.finish(session);
    return outcome;
  }

  /** Every transaction that had entered the shard has ended when this resolves. */
  async drain(session: ServerSession, shard: number): Promise<void> {
    session.shard = shard;
    await this.#locks.acquire(session.id, shard, 'exclusive');
    this.finish(session);
  }

  /** Waits for the writers of all shards. */
  async accept(session: ServerSession, acceptance: RestoreAcceptance): Promise<RestoreOutcome> {
    const shards = (await this.tables.installation()).shards;
    for (session.shard = 0; session.shard < shards; session.shard += 1) {
      await this.#locks.acquire(session.id, session.shard, 'exclusive');
    }
    const outcome = await this.tables.acceptRestore(acceptance);
    if (typeof outcome === 'object') {
      this.witness.accepted(outcome.generation, acceptance.seen.shards);
    }
    this.finish(session);
    return outcome;
  }

  finish(session: ServerSession): void {
    session.shard = null;
    this.#locks.release(session.id);
  }

  #endBlockers(claiming: ServerSession, shard: number): void {
    const holders = this.#locks.holders(shard);
    if (claiming.shard !== shard || holders.includes(claiming.id)) return;
    for (const id of holders) {
      const blocker = this.#sessions.get(id);
      if (blocker !== undefined) this.end(blocker);
    }
  }

  #watchIdle(session: ServerSession): void {
    if (session.shard === null) return;
    const { statements } = session;
    this.wire.later(IDLE_IN_TRANSACTION_MS, () => {
      if (session.shard !== null && session.statements === statements) this.end(session);
    });
  }

  /** A fence that the tables always take: they are not what checks. */
  #rowFence(shard: number): Fence {
    return { shard, token: this.highest(shard) as FencingToken };
  }
}
