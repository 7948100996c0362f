import type {
  AddressText,
  BehindAddress,
  MergeOrigin,
  ScopeView,
  TruthBehind,
} from '@pawl/contracts';
import { shardOf } from '@pawl/contracts';
import { INITIAL_RELEASE } from '@pawl/domain';
import type { Definition } from '@pawl/domain';
import type { Fence } from '../sharding/fence.js';
import type { ShardMark } from '../sharding/shard-mark.js';
import { FencedError, PAUSED_BY_RESTORE, ROUTED_KEY } from '../sharding/truth-store.port.js';
import type {
  AddressImage,
  AuditQuery,
  BehindReading,
  Changeset,
  CommitOutcome,
  FenceReading,
  HistoryQuery,
  IdempotencyAges,
  IdempotencyRecord,
  Installation,
  InventoryQuery,
  KnownTruth,
  ReleasesQuery,
  RestoreAcceptance,
  RestoreOutcome,
  StagedAddress,
  StoredHistoryEntry,
  TruthStore,
} from '../sharding/truth-store.port.js';
import * as rows from './fake-truth-rows.js';
import type { Row } from './fake-truth-rows.js';

/** When a fake finds that it is behind. */
const SOME_TIME = '2026-01-01T00:00:00.000Z';

/** A clock that goes on by a millisecond whenever it is looked at. */
function ticking(): () => number {
  let now = 0;
  return () => (now += 1);
}

/** The truth in memory, with the fencing of the real one; held to it by the conformance suite. */
export class FakeTruthStore implements TruthStore {
  readonly #rows = new Map<AddressText, Row>();
  readonly #fences = new Map<number, bigint>();
  readonly #owners = new Map<number, string>();
  /** Where each fence was raised, and holds. */
  readonly #servers = new Map<number, string>();
  readonly #commits = new Map<number, bigint>();
  readonly #behind = new Map<number, TruthBehind>();
  #generation: number;
  readonly #history: StoredHistoryEntry[] = [];
  readonly #idempotency = new Map<string, IdempotencyRecord & { readonly madeMs: number }>();
  /** Called before each commit; may throw what an infrastructure failure would. */
  beforeCommit: (changeset: Changeset) => Promise<void> = () => Promise.resolve();
  /** Called after each commit took effect; a throw makes its outcome unknown to the caller. */
  afterCommit: (changeset: Changeset) => void = () => undefined;

  /** Called before each time that something is declared to be behind; may throw the same. */
  beforeDeclare: () => Promise<void> = () => Promise.resolve();
  /** Called before each reading of fences; may throw what an infrastructure failure would. */
  beforeFences: (shards: readonly number[]) => Promise<void> = () => Promise.resolve();
  /** Called before each look at what is behind; may throw the same. */
  beforeBehind: () => Promise<void> = () => Promise.resolve();
  /** What identifies the server and its timeline: set to another, everything is there at once. */
  server = '1/00000001';

  /** @param nowMs clock of the server */
  constructor(
    private readonly identity: Installation,
    private readonly nowMs: () => number = ticking(),
  ) {
    this.#generation = identity.generation;
  }

  installation(): Promise<Installation> {
    return Promise.resolve({ ...this.identity, generation: this.#generation });
  }

  /** A copy of everything as it is now; calling the answer puts it back, as a restore does. */
  backup(): () => void {
    const generation = this.#generation;
    const parts = [
      rows.copyOf(this.#rows, (row) => ({ ...row, definitions: [...row.definitions] })),
      rows.copyOf(this.#fences),
      rows.copyOf(this.#owners),
      rows.copyOf(this.#servers),
      rows.copyOf(this.#commits),
      rows.copyOf(this.#behind),
      rows.copyOf(this.#idempotency),
    ];
    const history = [...this.#history];
    return () => {
      this.#generation = generation;
      for (const putBack of parts) putBack();
      this.#history.splice(0, Infinity, ...history);
    };
  }

  healthy(): Promise<boolean> {
    return Promise.resolve(true);
  }

  raiseFence(
    fence: Fence,
    owner: string,
    remembered: ShardMark | null = null,
  ): Promise<'raised' | 'superseded'> {
    const held = this.#fences.get(fence.shard) ?? 0n;
    const isOthers = held === fence.token && this.#owners.get(fence.shard) !== owner;
    if (held > fence.token || isOthers) return Promise.resolve('superseded');
    this.#compare(fence.shard, remembered);
    this.#fences.set(fence.shard, fence.token);
    this.#owners.set(fence.shard, owner);
    this.#servers.set(fence.shard, this.server);
    return Promise.resolve('raised');
  }

  async readFences(shards: readonly number[]): Promise<FenceReading> {
    await this.beforeFences(shards);
    const of = <T>(all: ReadonlyMap<number, T>): Map<number, T> =>
      new Map([...all].filter(([shard]) => shards.includes(shard)));
    const commits = of(this.#fences);
    for (const shard of commits.keys()) commits.set(shard, this.#commits.get(shard) ?? 0n);
    const { server } = this;
    const behind = new Set(of(this.#behind).keys());
    return { server, generation: this.#generation, tokens: of(this.#fences), commits, behind };
  }

  async readBehind(): Promise<BehindReading> {
    await this.beforeBehind();
    return { generation: this.#generation, shards: new Map(this.#behind) };
  }

  loadShard(fence: Fence): Promise<readonly AddressImage[]> {
    return this.#read(fence, () =>
      [...this.#rows.values()]
        .filter((row) => shardOf(rows.rootOf(row.address), this.identity.shards) === fence.shard)
        .map((row) => this.#imageOf(row)),
    );
  }

  loadRoot(fence: Fence, root: string): Promise<readonly AddressImage[]> {
    return this.#read(fence, () =>
      [...this.#rows.values()]
        .filter((row) => rows.rootOf(row.address) === root)
        .map((row) => this.#imageOf(row)),
    );
  }

  #imageOf(row: rows.Row): AddressImage {
    return rows.imageOf(row, (address) => this.#rows.get(address));
  }

  commit(fence: Fence, changeset: Changeset, known?: KnownTruth): Promise<CommitOutcome> {
    return this.commitAll(fence, [changeset], known);
  }

  async commitAll(
    fence: Fence,
    changesets: readonly Changeset[],
    known?: KnownTruth,
  ): Promise<CommitOutcome> {
    for (const changeset of changesets) await this.beforeCommit(changeset);
    const fenced = { kind: 'fenced', token: this.#fences.get(fence.shard) ?? 0n } as const;
    if (!this.#holds(fence)) return fenced;
    if (this.#behind.has(fence.shard)) return { kind: 'behind' };
    if (!this.#isOfThisTruth(fence.shard, known)) return fenced;
    const undo: (() => void)[] = [];
    for (const changeset of changesets) {
      const conflict = this.#conflict(changeset);
      if (conflict !== undefined) {
        for (const step of undo.toReversed()) step();
        return { kind: 'conflict', what: conflict };
      }
      undo.push(this.#undoing(changeset));
      this.#write(changeset);
    }
    const commits = (this.#commits.get(fence.shard) ?? 0n) + 1n;
    this.#commits.set(fence.shard, commits);
    for (const changeset of changesets) this.afterCommit(changeset);
    return { kind: 'committed', commits };
  }

  async declareBehind(
    fence: Fence,
    generation: number,
    addresses: readonly BehindAddress[],
  ): Promise<TruthBehind> {
    await this.beforeDeclare();
    return this.#read(fence, () => {
      if (generation !== this.#generation) throw new FencedError(fence.shard, fence.token);
      const before = this.#behind.get(fence.shard) ?? { since: SOME_TIME };
      const behind = { ...before, addresses: [...addresses] };
      this.#behind.set(fence.shard, behind);
      return behind;
    });
  }

  acceptRestore({ author, reason, at, seen: as }: RestoreAcceptance): Promise<RestoreOutcome> {
    if (this.#behind.size === 0) return Promise.resolve('nothing-behind');
    const isSame =
      as.generation === this.#generation &&
      new Set([...as.shards, ...this.#behind.keys()]).size === this.#behind.size &&
      new Set(as.shards).size === this.#behind.size;
    if (!isSame) return Promise.resolve('not-as-seen');
    const seen = [...this.#behind.values()].flatMap(({ remembered, addresses }) => [
      remembered?.generation ?? 0,
      ...addresses.map(({ held }) => held.generation),
    ]);
    this.#generation = Math.max(this.#generation, ...seen) + 1;
    const { shards } = this.identity;
    const known = [...this.#rows.values()]
      .map(({ address }) => rows.rootOf(address))
      .filter((root) => this.#behind.has(shardOf(root, shards)));
    const named = [...this.#behind.values()].flatMap(({ addresses }) =>
      addresses.map(({ address }) => rows.rootOf(address as AddressText)),
    );
    for (const root of [...new Set([...known, ...named])].sort()) {
      const entry = { address: root as AddressText, at, author, reason, action: 'accept' };
      const sequence = String(this.#history.length + 1);
      this.#history.push({ ...entry, kind: 'restore', sequence });
    }
    this.#pauseRolling(at, author);
    this.#behind.clear();
    return Promise.resolve({ generation: this.#generation });
  }

  /** It may have been stopped since the copy was made. */
  #pauseRolling(at: string, author: string): void {
    const inDoubt = [...this.#rows.values()].filter(
      ({ address, release }) =>
        release.state === 'rolling' &&
        this.#behind.has(shardOf(rows.rootOf(address), this.identity.shards)),
    );
    for (const row of inDoubt.sort((a, b) => (a.address < b.address ? -1 : 1))) {
      const { address, release } = row;
      const { staged } = release;
      const releaseVersion = release.releaseVersion + 1;
      row.release = {
        ...{ ...release, releaseVersion, state: 'paused' },
        staged: staged && { ...staged, pausedFor: PAUSED_BY_RESTORE },
      };
      const about = { address, at, author, kind: 'release', action: 'pause' } as const;
      const of = staged && { version: staged.candidateVersion, releaseId: staged.id };
      const sequence = String(this.#history.length + 1);
      const line = { ...about, ...of, releaseVersion, reason: PAUSED_BY_RESTORE };
      this.#history.push({ ...line, sequence });
    }
  }

  markPublished(
    fence: Fence,
    items: readonly { address: AddressText; version: number; publishedAt: string }[],
  ): Promise<void> {
    return this.#read(fence, () => {
      for (const { address, version, publishedAt } of items) {
        const row = this.#rows.get(address);
        if (row === undefined || row.publishedVersion > version) continue;
        row.publishedVersion = version;
        row.publishedAt = publishedAt;
      }
    });
  }

  readDefinition(
    fence: Fence,
    address: AddressText,
    version: number,
  ): Promise<Definition | undefined> {
    return this.#read(fence, () => this.#rows.get(address)?.definitions[version - 1]);
  }

  readOrigin(
    fence: Fence,
    address: AddressText,
    from: AddressText,
  ): Promise<MergeOrigin | undefined> {
    return this.#read(fence, () => rows.mergedFrom(this.#rows.get(address), from));
  }

  readHistory(
    fence: Fence,
    address: AddressText,
    query: HistoryQuery,
  ): Promise<readonly StoredHistoryEntry[]> {
    return this.#read(fence, () =>
      rows.page(
        this.#history.filter((entry) => entry.address === address),
        query,
      ),
    );
  }

  readAudit(query: AuditQuery): Promise<readonly StoredHistoryEntry[]> {
    return Promise.resolve(rows.page(this.#history, query));
  }

  readInventory(query: InventoryQuery): Promise<readonly ScopeView[]> {
    return Promise.resolve(rows.inventoryPage(this.#rows.values(), query));
  }

  readReleases(query: ReleasesQuery): Promise<readonly StagedAddress[]> {
    return Promise.resolve(rows.stagedPage(this.#rows.values(), query));
  }

  findIdempotent(fence: Fence, key: string): Promise<IdempotencyRecord | undefined> {
    return this.#read(fence, () => {
      const kept = this.#idempotency.get(key);
      if (kept === undefined) return undefined;
      const { madeMs: _, ...record } = kept;
      return record;
    });
  }

  sweepIdempotency(fence: Fence, { allMs, routedMs }: IdempotencyAges): Promise<number> {
    return this.#read(fence, () => {
      const nowMs = this.nowMs();
      const expired = [...this.#idempotency.values()].filter(
        (record) =>
          (record.madeMs < nowMs - allMs ||
            (record.madeMs < nowMs - routedMs && record.key.startsWith(ROUTED_KEY))) &&
          shardOf(record.root, this.identity.shards) === fence.shard,
      );
      for (const record of expired) this.#idempotency.delete(record.key);
      return expired.length;
    });
  }

  #read<T>(fence: Fence, read: () => T): Promise<T> {
    if (this.#holds(fence)) return Promise.resolve(read());
    return Promise.reject(new FencedError(fence.shard, this.#fences.get(fence.shard) ?? 0n));
  }

  #isOfThisTruth(shard: number, known?: KnownTruth): boolean {
    if (known === undefined) return true;
    const commits = this.#commits.get(shard) ?? 0n;
    return known.generation === this.#generation && known.commits <= commits;
  }

  #compare(shard: number, remembered: ShardMark | null): void {
    if (remembered === null) return;
    const found = this.#behind.get(shard);
    if (found !== undefined && remembered.generation <= (found.remembered?.generation ?? 0)) return;
    const token = this.#fences.get(shard) ?? 0n;
    const commits = this.#commits.get(shard) ?? 0n;
    const generation = this.#generation;
    if (generation > remembered.generation) return;
    const same = generation === remembered.generation;
    if (same && token >= remembered.token && commits >= remembered.commits) return;
    const asView = (mark: ShardMark) => ({
      generation: mark.generation,
      fencingToken: String(mark.token),
      commits: Number(mark.commits),
    });
    const has = asView({ generation, token, commits });
    const view = { ...asView(remembered), has };
    const rest = found ?? { since: SOME_TIME, addresses: [] };
    this.#behind.set(shard, { ...rest, remembered: view });
  }

  #holds({ shard, token }: Fence): boolean {
    return this.#fences.get(shard) === token && this.#servers.get(shard) === this.server;
  }

  #conflict(changeset: Changeset): string | undefined {
    const { definitions, releases, snapshots, idempotency } = changeset;
    for (const { address, version } of definitions) {
      const newest = this.#rows.get(address)?.definitions.length ?? 0;
      if (newest !== version - 1) return `definition ${address}`;
    }
    for (const { address, next } of releases) {
      const release = this.#rows.get(address)?.release ?? INITIAL_RELEASE;
      if (release.releaseVersion !== next.releaseVersion - 1) return `release ${address}`;
    }
    for (const { address, generation, version } of snapshots) {
      const held = this.#rows.get(address)?.snapshot;
      if (!held) continue;
      const lower =
        held.generation < generation || (held.generation === generation && held.version < version);
      if (!lower) return `snapshot ${address}`;
    }
    if (idempotency !== null && this.#idempotency.has(idempotency.key)) return 'idempotency key';
    return undefined;
  }

  /** What takes back the writing of this changeset, done next. */
  #undoing(changeset: Changeset): () => void {
    const { definitions, releases, snapshots, opened, forgotten, idempotency } = changeset;
    const written = [...definitions, ...releases, ...snapshots].map(({ address }) => address);
    const before = [...written, ...opened, ...forgotten].map((address) => {
      const row = this.#rows.get(address);
      return { address, row: row && { ...row, definitions: [...row.definitions] } };
    });
    const entries = this.#history.length;
    return () => {
      for (const { address, row } of before) {
        if (row === undefined) this.#rows.delete(address);
        else this.#rows.set(address, row);
      }
      this.#history.splice(entries);
      if (idempotency !== null) this.#idempotency.delete(idempotency.key);
    };
  }

  #write(changeset: Changeset): void {
    for (const address of changeset.opened) this.#row(address).opened = true;
    for (const definition of changeset.definitions) {
      const row = this.#row(definition.address);
      row.definitions.push(rows.stored(definition, row));
      row.opened = false;
    }
    for (const { address, next } of changeset.releases) this.#row(address).release = next;
    for (const snapshot of changeset.snapshots) this.#row(snapshot.address).snapshot = snapshot;
    for (const address of changeset.forgotten) this.#rows.delete(address);
    for (const entry of changeset.history) {
      const sequence = String(this.#history.length + 1);
      this.#history.push({ ...rows.told(entry, this.#rows.get(entry.address)), sequence });
    }
    const { idempotency } = changeset;
    if (idempotency === null) return;
    this.#idempotency.set(idempotency.key, { ...idempotency, madeMs: this.nowMs() });
  }

  #row(address: AddressText): Row {
    const known = this.#rows.get(address);
    if (known !== undefined) return known;
    const row: Row = {
      address,
      definitions: [],
      release: INITIAL_RELEASE,
      snapshot: null,
      publishedVersion: 0,
      publishedAt: null,
      opened: false,
    };
    this.#rows.set(address, row);
    return row;
  }
}
