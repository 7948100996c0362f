import { FencedError, TruthUnavailableError } from '@pawl/engine';
import type {
  AddressImage,
  AuditQuery,
  BehindReading,
  Changeset,
  CommitOutcome,
  ConsumerRecord,
  Fence,
  FenceReading,
  FencingToken,
  HistoryQuery,
  IdempotencyAges,
  IdempotencyRecord,
  Installation,
  InventoryQuery,
  KnownTruth,
  ReleasesQuery,
  RestoreAcceptance,
  RestoreOutcome,
  ShardMark,
  StatusStore,
  StoredHistoryEntry,
  TruthStore,
} from '@pawl/engine';
import type { SimulatedPostgres } from './simulated-postgres.js';
import { asTruthError } from './truth-sessions.js';
import type { TruthSession, TruthSessions } from './truth-sessions.js';

/** How long a claim waits for the former owner's transactions before it ends their sessions. */
const GRACE_MS = 600;
const HEALTH_MS = 1_000;
const ACCEPT_MS = 5_000;
const FENCES_MS = 900;

type Definition = Awaited<ReturnType<TruthStore['readDefinition']>>;

/**
 * The truth over a simulated PostgreSQL: each write is a transaction of four statements (BEGIN with
 * the shard's lock, the fence row, the writing, COMMIT), each with a way there and a way back, so
 * that the process can stand still or be cut off between any two of them.
 */
export class SimulatedTruth implements TruthStore {
  readonly #server: SimulatedPostgres;

  constructor(private readonly sessions: TruthSessions) {
    this.#server = sessions.server;
  }

  installation(): Promise<Installation> {
    return this.sessions.use((session) => session.send(() => this.#server.tables.installation()));
  }

  async healthy(): Promise<boolean> {
    return this.sessions.use((session) => session.send(() => true, HEALTH_MS)).catch(() => false);
  }

  async raiseFence(
    fence: Fence,
    owner: string,
    remembered: ShardMark | null = null,
  ): Promise<'raised' | 'superseded'> {
    const by = { owner, remembered };
    return this.#sure((session) =>
      session.send(() => this.#server.raiseFence(session.server, fence, by, GRACE_MS)),
    );
  }

  readFences(shards: readonly number[]): Promise<FenceReading> {
    return this.sessions.use((session) =>
      session.send(() => this.#server.tables.readFences(shards), FENCES_MS),
    );
  }

  readBehind(): Promise<BehindReading> {
    return this.sessions.use((session) =>
      session.send(() => this.#server.tables.readBehind(), FENCES_MS),
    );
  }

  loadShard(fence: Fence): Promise<readonly AddressImage[]> {
    return this.#read(fence, 'load', (as) => this.#server.tables.loadShard(as));
  }

  /** Waits first for whatever is still being committed under the fence, also by lost sessions. */
  async loadRoot(fence: Fence, root: string): Promise<readonly AddressImage[]> {
    await this.sessions.endLost();
    await this.sessions.use((session) =>
      session.send(() => this.#server.drain(session.server, fence.shard)),
    );
    return this.#read(fence, 'load', (as) => this.#server.tables.loadRoot(as, root));
  }

  commit(fence: Fence, changeset: Changeset, known?: KnownTruth): Promise<CommitOutcome> {
    return this.commitAll(fence, [changeset], known);
  }

  async commitAll(
    fence: Fence,
    changesets: readonly Changeset[],
    known?: KnownTruth,
  ): Promise<CommitOutcome> {
    return this.#transaction(fence, 'commit', {
      fenced: (token): CommitOutcome => ({ kind: 'fenced', token }),
      commit: (session) => this.#server.commit(session.server, fence, changesets, known),
    });
  }

  declareBehind(
    fence: Fence,
    generation: number,
    addresses: Parameters<TruthStore['declareBehind']>[2],
  ): ReturnType<TruthStore['declareBehind']> {
    const { tables } = this.#server;
    return this.#write(fence, 'behind', (as) => tables.declareBehind(as, generation, addresses));
  }

  acceptRestore(acceptance: RestoreAcceptance): Promise<RestoreOutcome> {
    return this.sessions.use((session) =>
      session.send(() => this.#server.accept(session.server, acceptance), ACCEPT_MS),
    );
  }

  async markPublished(
    fence: Fence,
    items: Parameters<TruthStore['markPublished']>[1],
  ): Promise<void> {
    const { tables } = this.#server;
    await this.#write(fence, 'mark', (as) => tables.markPublished(as, items));
  }

  readDefinition(
    fence: Fence,
    address: Parameters<TruthStore['readDefinition']>[1],
    version: number,
  ): Promise<Definition> {
    const { tables } = this.#server;
    return this.#read(fence, 'definition', (as) => tables.readDefinition(as, address, version));
  }

  readOrigin(
    ...[fence, address, from]: Parameters<TruthStore['readOrigin']>
  ): ReturnType<TruthStore['readOrigin']> {
    const { tables } = this.#server;
    return this.#read(fence, 'origin', (as) => tables.readOrigin(as, address, from));
  }

  readHistory(
    fence: Fence,
    address: Parameters<TruthStore['readHistory']>[1],
    query: HistoryQuery,
  ): Promise<readonly StoredHistoryEntry[]> {
    const { tables } = this.#server;
    return this.#read(fence, 'history', (as) => tables.readHistory(as, address, query));
  }

  readAudit(query: AuditQuery): Promise<readonly StoredHistoryEntry[]> {
    return this.sessions.use((session) => session.send(() => this.#server.tables.readAudit(query)));
  }

  readInventory(query: InventoryQuery): ReturnType<TruthStore['readInventory']> {
    return this.sessions.use((session) =>
      session.send(() => this.#server.tables.readInventory(query)),
    );
  }

  readReleases(query: ReleasesQuery): ReturnType<TruthStore['readReleases']> {
    return this.sessions.use((session) =>
      session.send(() => this.#server.tables.readReleases(query)),
    );
  }

  findIdempotent(fence: Fence, key: string): Promise<IdempotencyRecord | undefined> {
    const { tables } = this.#server;
    return this.#read(fence, 'idempotency', (as) => tables.findIdempotent(as, key));
  }

  sweepIdempotency(fence: Fence, olderThan: IdempotencyAges): Promise<number> {
    const { tables } = this.#server;
    return this.#write(fence, 'sweep', (as) => tables.sweepIdempotency(as, olderThan));
  }

  /** The status tables, over the same sessions. */
  status(): StatusStore {
    const { status } = this.#server;
    return {
      load: (fence): Promise<readonly ConsumerRecord[]> =>
        this.#read(fence, 'status', (as) => {
          const held = this.#server.fence(fence.shard) as FencingToken;
          return held === fence.token
            ? status.load(as)
            : Promise.reject(new FencedError(fence.shard, held));
        }),
      save: (fence, records) => this.#write(fence, 'status', (as) => status.save(as, records)),
      sweep: (fence, before) => this.#write(fence, 'sweep', (as) => status.sweep(as, before)),
      // Nobody asks in these worlds what consumers ran before.
      saveRuns: () => Promise.resolve(),
      sweepRuns: () => Promise.resolve(0),
    };
  }

  #read<T>(fence: Fence, what: string, rows: (fence: Fence) => Promise<T>): Promise<T> {
    return this.sessions.use((session) => session.send(() => this.#server.read(fence, what, rows)));
  }

  #write<T>(fence: Fence, what: string, apply: (fence: Fence) => Promise<T>): Promise<T> {
    return this.#transaction<T>(fence, what, {
      fenced: (token) => {
        throw new FencedError(fence.shard, token);
      },
      commit: (session) => this.#server.write(session.server, fence, what, apply),
    });
  }

  async #transaction<T>(
    { shard, token }: Fence,
    what: string,
    work: {
      readonly fenced: (held: FencingToken) => T;
      readonly commit: (session: TruthSession) => Promise<T>;
    },
  ): Promise<T> {
    const { sessions } = this;
    const session = sessions.open();
    let committing = false;
    try {
      await session.send(() => this.#server.begin(session.server, shard));
      await sessions.step('begin', what);
      const held = await session.send(() => this.#server.fence(shard));
      await sessions.step('fence', what);
      if (held !== token) {
        sessions.reached(`fenced: ${what}`);
        return work.fenced(held as FencingToken);
      }
      await session.send(() => undefined);
      await sessions.step('write', what);
      committing = true;
      const committed = session.send(() => work.commit(session));
      await sessions.step('commit', what);
      const result = await committed;
      await sessions.step('committed', what);
      return result;
    } catch (error) {
      if (committing) sessions.reached(`outcome unknown: ${what}`);
      throw asTruthError(error, committing);
    } finally {
      session.close();
    }
  }

  /** One statement that is a transaction of its own; nobody asks whether it was done. */
  async #sure<T>(work: (session: TruthSession) => Promise<T>): Promise<T> {
    try {
      return await this.sessions.use(work);
    } catch (error) {
      if (error instanceof FencedError) throw error;
      throw new TruthUnavailableError('the fence was not raised, as far as is known', {
        cause: error,
      });
    }
  }
}
