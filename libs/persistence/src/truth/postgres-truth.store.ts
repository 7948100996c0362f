import { assert } from '@pawl/kernel';
import type { Scheduler } from '@pawl/kernel';
import type {
  AddressText,
  BehindAddress,
  MergeOrigin,
  ScopeView,
  TruthBehind,
} from '@pawl/contracts';
import type { Definition } from '@pawl/domain';
import { TruthUnavailableError } from '@pawl/engine';
import type {
  AddressImage,
  AuditQuery,
  BehindReading,
  Changeset,
  CommitOutcome,
  Fence,
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
  ShardMark,
  StagedAddress,
  StoredHistoryEntry,
  TruthStore,
} from '@pawl/engine';
import type { FencedStatements } from '../sessions/fenced-statements.js';
import { toSafeInteger } from '../entities/transformers.js';
import { sweepAll } from '../sessions/sweep-all.js';
import type { TruthSessions } from '../sessions/truth-sessions.js';
import { decodeDefinition, decodeStaged } from './decode-address.js';
import type { DefinitionRow, StagedRow } from './decode-address.js';
import { decodeHistory, decodeIdempotent } from './decode-history.js';
import type { HistoryRow, IdempotencyRow } from './decode-history.js';
import { decodeOrigin } from './decode-origin.js';
import type { OriginRow } from './decode-origin.js';
import { encodeChangeset, encodeChangesets } from './encode-changeset.js';
import type { EncodedChangeset } from './encode-changeset.js';
import { loadAddresses } from './load-addresses.js';
import type { PageQuery } from './load-addresses.js';
import { PacedParser } from './paced-parser.js';
import { withPinned } from './with-pinned.js';
import * as queries from './queries.js';

const HEALTH_TIMEOUT_MS = 1_000;
/** Numbers of long texts that a commit's statement is prepared for, once per session. */
const PREPARED_TEXTS: readonly number[] = [0, 1, 2, 3, 4, 8, 16, 32, 64];
const SEQUENCE = /^\d{1,18}$/;
const LAST_SEQUENCE = (2n ** 63n - 1n).toString();

export interface PostgresTruthOptions {
  /**
   * For the watch and the fence checks, which must not wait behind reads and commits: a node that is
   * merely busy would be taken for one without PostgreSQL.
   */
  readonly watching: TruthSessions;
  /** How long a claim waits for the former owner's transactions before it ends their sessions. */
  readonly takeoverGraceMs: number;
  /** How long the answer of {@link PostgresTruthStore.readFences} is waited for. */
  readonly fenceTimeoutMs: number;
  /** Gives others a turn between long texts. */
  readonly scheduler: Scheduler;
}

/** {@link TruthStore} on PostgreSQL: every write is one call of a function of the migrations. */
export class PostgresTruthStore implements TruthStore {
  readonly #sessions: TruthSessions;

  constructor(
    private readonly statements: FencedStatements,
    private readonly made: Installation,
    private readonly options: PostgresTruthOptions,
  ) {
    this.#sessions = statements.sessions;
  }

  async installation(): Promise<Installation> {
    return this.#readInstallation(this.#sessions);
  }

  async healthy(): Promise<boolean> {
    try {
      await this.#readInstallation(this.options.watching, HEALTH_TIMEOUT_MS);
      return true;
    } catch {
      return false;
    }
  }

  async raiseFence(
    fence: Fence,
    owner: string,
    remembered: ShardMark | null = null,
  ): Promise<'raised' | 'superseded'> {
    const values = [
      owner,
      this.options.takeoverGraceMs,
      remembered?.generation ?? null,
      remembered?.token.toString() ?? null,
      remembered?.commits.toString() ?? null,
    ];
    const raised = await this.statements.result<boolean>('pawl_raise_fence', fence, values);
    return raised ? 'raised' : 'superseded';
  }

  async readFences(
    shards: readonly number[],
    { inTurn = false }: { readonly inTurn?: boolean } = {},
  ): Promise<FenceReading> {
    const sessions = inTurn ? this.#sessions : this.options.watching;
    const answer = await sessions.read<FenceRow>({
      name: 'pawl_fences',
      text: queries.FENCES,
      values: [this.made.id, shards],
      query_timeout: this.options.fenceTimeoutMs,
    });
    const [first] = answer.kind === 'rows' ? answer.rows : [];
    if (answer.kind !== 'rows' || first === undefined) throw foreignDatabase();
    return { server: first.server, generation: Number(first.generation), ...byShard(answer.rows) };
  }

  async readBehind(): Promise<BehindReading> {
    const answer = await this.#sessions.read<BehindRow>({
      name: 'pawl_behind',
      text: queries.BEHIND,
      values: [this.made.id],
      query_timeout: this.options.fenceTimeoutMs,
    });
    const [first] = answer.kind === 'rows' ? answer.rows : [];
    if (answer.kind !== 'rows' || first === undefined) throw foreignDatabase();
    const shards = new Map<number, TruthBehind>();
    for (const { shard, behind } of answer.rows) {
      if (shard !== null && behind !== null) shards.set(shard, decodeBehind(behind));
    }
    return { generation: Number(first.generation), shards };
  }

  /** Ends first what may still be on its way in lost sessions: under a token served before it would fit. */
  async loadShard(fence: Fence): Promise<readonly AddressImage[]> {
    await this.#sessions.endLost();
    return this.#load(fence, {
      name: 'pawl_shard_page',
      body: queries.SHARD_PAGE,
      values: [],
    });
  }

  /** Waits first for whatever is still being committed under the fence, also by lost sessions. */
  async loadRoot(fence: Fence, root: string): Promise<readonly AddressImage[]> {
    await this.#sessions.endLost();
    await this.#drain(fence);
    return this.#load(fence, {
      name: 'pawl_root_page',
      body: queries.ROOT_PAGE,
      values: [root],
    });
  }

  async commit(fence: Fence, changeset: Changeset, known?: KnownTruth): Promise<CommitOutcome> {
    return this.#commit('pawl_commit', fence, encodeChangeset(changeset), known);
  }

  async commitAll(
    fence: Fence,
    changesets: readonly Changeset[],
    known?: KnownTruth,
  ): Promise<CommitOutcome> {
    return this.#commit('pawl_commit_all', fence, encodeChangesets(changesets), known);
  }

  async declareBehind(
    fence: Fence,
    generation: number,
    addresses: readonly BehindAddress[],
  ): Promise<TruthBehind> {
    const values = [generation, JSON.stringify(addresses)];
    return decodeBehind(await this.statements.result<string>('pawl_declare_behind', fence, values));
  }

  async acceptRestore({ author, reason, at, seen }: RestoreAcceptance): Promise<RestoreOutcome> {
    const answer = await this.#sessions.write<{ generation: string | null }>({
      text: 'SELECT pawl_accept_restore($1, $2, $3, $4, $5, $6, $7) AS generation',
      values: [
        this.statements.lockKey,
        this.made.id,
        author,
        reason,
        at,
        seen.generation,
        seen.shards,
      ],
    });
    assert(answer.kind === 'rows' && answer.rows[0] !== undefined, 'it is under no fence');
    const { generation } = answer.rows[0];
    if (generation === null) return 'nothing-behind';
    return generation === '0' ? 'not-as-seen' : { generation: toSafeInteger(generation) };
  }

  async markPublished(
    fence: Fence,
    items: readonly { address: AddressText; version: number; publishedAt: string }[],
  ): Promise<void> {
    if (items.length === 0) return;
    await this.statements.result('pawl_mark_published', fence, [JSON.stringify(items)]);
  }

  async readDefinition(
    fence: Fence,
    address: AddressText,
    version: number,
  ): Promise<Definition | undefined> {
    const [row] = await this.statements.read<DefinitionRow>(fence, {
      name: 'pawl_definition',
      body: queries.DEFINITION,
      values: [address, version],
    });
    const parser = new PacedParser(this.options.scheduler);
    return row && decodeDefinition(address, row, { parser, joined: [] });
  }

  async readOrigin(
    fence: Fence,
    address: AddressText,
    from: AddressText,
  ): Promise<MergeOrigin | undefined> {
    const [row] = await this.statements.read<OriginRow>(fence, {
      name: 'pawl_merged_from',
      body: queries.MERGED_FROM,
      values: [address, from],
    });
    return row && decodeOrigin(row).origin;
  }

  async readHistory(
    fence: Fence,
    address: AddressText,
    query: HistoryQuery,
  ): Promise<readonly StoredHistoryEntry[]> {
    const rows = await this.statements.read<HistoryRow>(fence, {
      name: 'pawl_history',
      body: queries.HISTORY,
      order: 'sequence DESC',
      values: [address, sequenceOf(query), query.limit],
    });
    return rows.map(decodeHistory);
  }

  async readAudit(query: AuditQuery): Promise<readonly StoredHistoryEntry[]> {
    const answer = await this.#sessions.read<HistoryRow>(auditStatement(query));
    assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
    return answer.rows.map(decodeHistory);
  }

  async readInventory({ limit, after, within }: InventoryQuery): Promise<readonly ScopeView[]> {
    const answer = await this.#sessions.read<InventoryRow>({
      name: 'pawl_inventory',
      text: queries.INVENTORY,
      values: [after ?? '', within ?? null, limit],
    });
    assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
    return answer.rows.map((row) => ({
      address: row.address,
      newestVersion: toSafeInteger(row.newest_version),
      stableVersion: row.stable_version === null ? null : toSafeInteger(row.stable_version),
      state: row.state,
      snapshotVersion: toSafeInteger(row.snapshot_version),
    }));
  }

  async readReleases({ limit, after, state }: ReleasesQuery): Promise<readonly StagedAddress[]> {
    const answer = await this.#sessions.read<StagedRow>({
      name: 'pawl_releases',
      text: queries.RELEASES,
      values: [after ?? '', state ?? null, limit],
    });
    assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
    const parser = new PacedParser(this.options.scheduler);
    const releases: StagedAddress[] = [];
    for (const row of answer.rows) releases.push(await decodeStaged(row, parser));
    return releases;
  }

  async findIdempotent(fence: Fence, key: string): Promise<IdempotencyRecord | undefined> {
    const [row] = await this.statements.read<IdempotencyRow>(fence, {
      name: 'pawl_idempotent',
      body: queries.IDEMPOTENT,
      values: [key],
    });
    return row && decodeIdempotent(row);
  }

  async sweepIdempotency(fence: Fence, { allMs, routedMs }: IdempotencyAges): Promise<number> {
    return sweepAll(this.statements, 'pawl_sweep_idempotency', fence, [allMs, routedMs]);
  }

  async #commit(
    name: string,
    fence: Fence,
    { values, texts }: EncodedChangeset,
    known: KnownTruth | undefined,
  ): Promise<CommitOutcome> {
    const since = [known?.generation ?? null, known?.commits.toString() ?? null];
    const fixed = [...this.statements.parameters(fence), ...values, ...since];
    const named = fixed.length - since.length;
    const place = (index: number): string => `$${index + 1}`;
    const places = PREPARED_TEXTS.find((prepared) => prepared >= texts.length) ?? texts.length;
    const textPlaces = Array.from({ length: places }, (_, index) => place(fixed.length + index));
    const padding = Array.from({ length: places - texts.length }, () => null);
    const answer = await this.#sessions.write<{ commits: string }>({
      ...(PREPARED_TEXTS.includes(places) ? { name: `${name}_${places}` } : {}),
      text: `SELECT ${name}(${fixed
        .slice(0, named)
        .map((_, index) => place(index))
        .join(', ')},
        ARRAY[${textPlaces.join(', ')}]::text[], ${place(named)}, ${place(named + 1)}) AS commits`,
      values: [...fixed, ...texts, ...padding],
    });
    if (answer.kind !== 'rows') return answer;
    return { kind: 'committed', commits: BigInt(answer.rows[0]?.commits ?? 0) };
  }

  async #readInstallation(sessions: TruthSessions, timeoutMs?: number): Promise<Installation> {
    const answer = await sessions.read<InstallationRow>({
      name: 'pawl_installation',
      text: 'SELECT i.id, i.generation FROM installation i',
      values: [],
      ...(timeoutMs === undefined ? {} : { query_timeout: timeoutMs }),
    });
    const [row] = answer.kind === 'rows' ? answer.rows : [];
    if (row?.id !== this.made.id) {
      throw foreignDatabase();
    }
    return { ...this.made, generation: Number(row.generation) };
  }

  /**
   * Every transaction that had entered the shard before has ended when this resolves, and synchronous
   * standbys have what it committed: ending its session ends its wait for them, but this commit comes
   * behind it and waits as long.
   */
  async #drain(fence: Fence): Promise<void> {
    await this.#sessions.write({
      name: 'pawl_drain',
      text: `WITH entered AS MATERIALIZED (SELECT pg_advisory_xact_lock($1, $2))
        UPDATE shard_fence f SET raised_at = f.raised_at FROM entered
        WHERE f.shard = $2 AND f.token = $3`,
      values: [this.statements.lockKey, fence.shard, fence.token.toString()],
    });
  }

  async #load(fence: Fence, query: PageQuery): Promise<AddressImage[]> {
    const parts = await loadAddresses(this.statements, this.options.scheduler, fence, query);
    return withPinned(parts, (address, version) => this.readDefinition(fence, address, version));
  }
}

/** One by name for each way to ask: PostgreSQL plans each by itself. */
function auditStatement(query: AuditQuery) {
  const { since, limit, about } = query;
  const values = [sequenceOf(query), limit];
  if (typeof about === 'object') {
    const ofRelease = [...values, about.releaseId, since ?? null];
    return { name: 'pawl_of_release', text: queries.OF_RELEASE, values: ofRelease };
  }
  const [name, all, sinceThen] =
    about === 'ends'
      ? (['pawl_ends', queries.ENDS, queries.ENDS_SINCE] as const)
      : (['pawl_audit', queries.AUDIT, queries.AUDIT_SINCE] as const);
  if (since === undefined) return { name, text: all, values };
  return { name: `${name}_since`, text: sinceThen, values: [...values, since] };
}

interface InventoryRow {
  readonly address: AddressText;
  readonly state: ScopeView['state'];
  readonly stable_version: string | null;
  readonly snapshot_version: string;
  readonly newest_version: string;
}

interface FenceRow {
  readonly server: string;
  readonly generation: string;
  readonly shard: number | null;
  readonly token: string | null;
  readonly commits: string | null;
  readonly is_behind: boolean;
}

interface BehindRow {
  readonly generation: string;
  readonly shard: number | null;
  readonly behind: string | null;
}

function byShard(rows: readonly FenceRow[]): Pick<FenceReading, 'tokens' | 'commits' | 'behind'> {
  const tokens = new Map<number, bigint>();
  const commits = new Map<number, bigint>();
  const behind = new Set<number>();
  for (const row of rows) {
    if (row.shard === null || row.token === null) continue;
    tokens.set(row.shard, BigInt(row.token));
    commits.set(row.shard, BigInt(row.commits ?? 0));
    if (row.is_behind) behind.add(row.shard);
  }
  return { tokens, commits, behind };
}

function decodeBehind(text: string): TruthBehind {
  const { remembered, ...rest } = JSON.parse(text) as Omit<TruthBehind, 'remembered'> & {
    readonly remembered?: TruthBehind['remembered'] | null;
  };
  return remembered === undefined || remembered === null ? rest : { ...rest, remembered };
}

function foreignDatabase(): TruthUnavailableError {
  return new TruthUnavailableError('this database belongs to another installation');
}

interface InstallationRow {
  readonly id: string;
  readonly generation: string;
}

/** Throws a `RangeError` for what no list has handed out as a cursor. */
function sequenceOf(query: HistoryQuery): string {
  if (query.before === undefined) return LAST_SEQUENCE;
  if (!SEQUENCE.test(query.before)) throw new RangeError(`"${query.before}" is not a sequence`);
  return query.before;
}
