import type {
  AddressText,
  BehindAddress,
  MergeOrigin,
  PolicyVersion,
  PresentState,
  ReleaseEnd,
  ScopeView,
  TruthBehind,
} from '@pawl/contracts';
import type {
  Definition,
  QueuedRelease,
  ReleaseState,
  ReleaseStateName,
  SchemaRef,
  SnapshotHead,
  StagedRelease,
} from '@pawl/domain';
import type { Fence } from './fence.js';
import type { ShardMark } from './shard-mark.js';

export interface Installation {
  /** Name, part of subjects. */
  readonly name: string;
  /** Random id, made once. `<name>/<id>` is what snapshots carry. */
  readonly id: string;
  readonly generation: number;
  /** Number of shards, fixed at the first start. */
  readonly shards: number;
}

/** All that the truth knows of one address, as an owner keeps it in memory. */
export interface AddressImage {
  readonly address: AddressText;
  /** Newest definition; `null` for an address that only a consumer opened. */
  readonly newest: Definition | null;
  /** Definition at the stable version; `null` when nothing is released. */
  readonly stable: Definition | null;
  /** Definition that is being released in stages; `null` when none is. */
  readonly candidate: Definition | null;
  /** Of the pins of `release`, the definitions that they keep, of other addresses. */
  readonly pinned: readonly Definition[];
  readonly release: ReleaseState;
  readonly snapshot: SnapshotHead | null;
  /** Snapshot version that JetStream is known to hold, 0 for none, and when it was published. */
  readonly publishedVersion: number;
  readonly publishedAt: string | null;
  /** Set on an address known only because a consumer opened it. */
  readonly opened: boolean;
}

/** One line of history and audit; written in the transaction of the change itself. */
export interface HistoryEntry {
  readonly address: AddressText;
  readonly at: string;
  readonly author: string;
  readonly kind: 'definition' | 'release' | 'restore';
  readonly version?: number;
  readonly releaseVersion?: number;
  readonly action?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly forced?: true;
  /** The release in stages that it began, moved on or ended. */
  readonly releaseId?: string;
  /** Of a promote that began one by a strategy of a release policy. */
  readonly policyVersion?: PolicyVersion;
  /** Set when the release ended with it. */
  readonly ended?: ReleaseEnd;
}

export interface StoredHistoryEntry extends HistoryEntry {
  /** Of the definition version that it tells of. */
  readonly origin?: MergeOrigin;
  /** Orders the entries; grows. The cursor of lists. */
  readonly sequence: string;
}

/** The first answer to a request with an `Idempotency-Key`. */
export interface IdempotencyRecord {
  /** `<method> <path>` and the key, as one string. */
  readonly key: string;
  readonly root: string;
  /** Hash of everything else that decides what the request does. */
  readonly requestHash: string;
  readonly status: number;
  /** JSON text of the answer. */
  readonly body: string;
}

/** How long keys are kept at least, milliseconds by the store's own clock. */
export interface IdempotencyAges {
  readonly allMs: number;
  /** Those that begin with {@link ROUTED_KEY}. */
  readonly routedMs: number;
}

/** Why a release in stages is paused once a restore was accepted. */
export const PAUSED_BY_RESTORE =
  'a restore was accepted, and what was decided of this release since the copy is lost: look, then resume or abort it';

/** How the keys begin that nodes make for what they send on; those of users begin with a method. */
export const ROUTED_KEY = 'routed ';

/** A definition version to insert; refused as a conflict unless newest is `version - 1`. */
export interface NewDefinition {
  readonly address: AddressText;
  readonly version: number;
  /** Canonical text and hash; `null`: abstract. */
  readonly document: { readonly text: string; readonly hash: string } | null;
  /** Canonical text is stored once per address and hash; `null`: no schema. */
  readonly schema: { readonly hash: string; readonly text: string } | null;
  readonly author: string;
  readonly createdAt: string;
  readonly message?: string;
  readonly origin?: MergeOrigin;
}

/** The next release state; refused as a conflict unless the stored one is `releaseVersion - 1`. */
export interface NewRelease {
  readonly address: AddressText;
  readonly next: ReleaseState;
}

/** The next snapshot head; refused as a conflict unless the stored version is lower. */
export type NewSnapshot = SnapshotHead;

/** Everything that one command writes: all or nothing, for one root. */
export interface Changeset {
  readonly root: string;
  readonly definitions: readonly NewDefinition[];
  readonly releases: readonly NewRelease[];
  readonly snapshots: readonly NewSnapshot[];
  /** Addresses that a consumer opened and that have no definition. */
  readonly opened: readonly AddressText[];
  /** Opened addresses to forget. */
  readonly forgotten: readonly AddressText[];
  readonly history: readonly HistoryEntry[];
  readonly idempotency: IdempotencyRecord | null;
}

/** What a command that changes nothing writes; others say what differs. */
export const NO_CHANGES = {
  definitions: [],
  releases: [],
  snapshots: [],
  opened: [],
  forgotten: [],
  history: [],
} as const satisfies Omit<Changeset, 'root' | 'idempotency'>;

export type CommitOutcome =
  | {
      readonly kind: 'committed';
      /** Transactions that have committed changesets of the shard by now, this one included. */
      readonly commits: bigint;
    }
  /**
   * The fence holds another token, or was raised on another server: this node does not own the shard
   * here. Nothing was written.
   */
  | { readonly kind: 'fenced'; readonly token: bigint }
  /** The shard is read-only, under this very fence: the truth lacks what was seen elsewhere. Nothing was written. */
  | { readonly kind: 'behind' }
  /** A row was not as the changeset expected: memory and truth differ. Nothing was written. */
  | { readonly kind: 'conflict'; readonly what: string };

/** PostgreSQL did not answer, and surely nothing was written. */
export class TruthUnavailableError extends Error {
  override readonly name = 'TruthUnavailableError';
}

/** The connection broke while a commit was under way: it may or may not be in the truth. */
export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError';
}

/** The fence refused a read or a write outside `commit`. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
  constructor(
    readonly shard: number,
    readonly token: bigint,
  ) {
    super(`shard ${shard} is fenced by a higher token`);
  }
}

/** What PostgreSQL holds of fences at one time. */
export interface FenceReading {
  /**
   * Identifies what PostgreSQL's server writes: `<system identifier>/<timeline>`. A restart keeps both.
   * A standby that was promoted, or a copy recovered to some point in time, goes on on another
   * timeline; a server that a dump was restored on, or one reached by mistake, has another identifier.
   */
  readonly server: string;
  /** Of the installation. */
  readonly generation: number;
  /** By shard that was asked for: the token in its fence row; none where there is no row of ours. */
  readonly tokens: ReadonlyMap<number, bigint>;
  /** By the same shards: transactions that have committed changesets. */
  readonly commits: ReadonlyMap<number, bigint>;
  /** Of the same shards those that are read-only; why, {@link TruthStore.readBehind} tells. */
  readonly behind: ReadonlySet<number>;
}

/** What PostgreSQL lacks that was seen elsewhere. */
export interface BehindReading {
  /** Of the installation. */
  readonly generation: number;
  /** The read-only shards, and why. */
  readonly shards: ReadonlyMap<number, TruthBehind>;
}

/** What an owner knows of its shard's truth, which must not have come to less since. */
export type KnownTruth = Pick<ShardMark, 'generation' | 'commits'>;

/** Who accepts a restored PostgreSQL as the truth, and why. */
export interface RestoreAcceptance {
  readonly author: string;
  readonly reason: string;
  readonly at: string;
  /** What was looked at: the generation, and the shards that are read-only. */
  readonly seen: { readonly generation: number; readonly shards: readonly number[] };
}

/**
 * The generation that was accepted; or nothing was changed, since nothing is behind, or it is another by
 * now than what was looked at.
 */
export type RestoreOutcome = { readonly generation: number } | 'nothing-behind' | 'not-as-seen';

export interface HistoryQuery {
  readonly limit: number;
  /** Entries before this sequence only. */
  readonly before?: string;
}

export interface AuditQuery extends HistoryQuery {
  /** Entries of this time or later only; written as in the entries. */
  readonly since?: string;
  /** `ends`: those only with which a release in stages ended; or those only of that one release. */
  readonly about?: 'ends' | { readonly releaseId: string };
}

export interface InventoryQuery {
  readonly limit: number;
  /** Addresses after this one only. */
  readonly after?: string;
  /** A scope: its addresses and those below it only. */
  readonly within?: string;
}

export interface ReleasesQuery {
  readonly limit: number;
  /** Addresses after this one only. */
  readonly after?: string;
  /** Those in this state only; `queued`: those with something queued, whatever is under way. */
  readonly state?: PresentState;
}

/** An address with a release in stages under way, or a promote that begins later, or both. */
export interface StagedAddress {
  readonly address: AddressText;
  readonly state: ReleaseStateName;
  readonly releaseVersion: number;
  readonly stableVersion: number | null;
  readonly staged: StagedRelease | null;
  readonly queued: QueuedRelease | null;
}

/**
 * The truth, reached only under a fence. Every call that writes is one READ COMMITTED transaction
 * that takes the shard's advisory lock shared and in its next statement compares the fence row with
 * the token; reads check the token too and throw {@link FencedError}. Infrastructure failures are
 * {@link TruthUnavailableError}, and {@link OutcomeUnknownError} where a commit may have happened.
 */
export interface TruthStore {
  installation(): Promise<Installation>;
  /** `false` when PostgreSQL does not answer. */
  healthy(): Promise<boolean>;
  /**
   * Takes the shard's lock exclusively, ending blockers after a grace, and raises the fence row to
   * the token. `superseded` when the row already holds a higher one, or the same of another owner.
   * A fence holds on the server on which it was raised: on a standby that was promoted since, everything
   * is refused until it is raised there. Where less is here than is `remembered` of the shard, it is
   * read-only from then on, as after {@link declareBehind}.
   */
  raiseFence(
    fence: Fence,
    owner: string,
    remembered?: ShardMark | null,
  ): Promise<'raised' | 'superseded'>;
  /**
   * Reads the fence rows of these shards, in one query with a deadline below the lease TTL. Waits for
   * no lock, so it answers also while somebody raises one of them. `inTurn`: it may wait behind reads
   * and commits, as the rest of a claim does, of which there may be very many at once.
   */
  readFences(
    shards: readonly number[],
    options?: { readonly inTurn?: boolean },
  ): Promise<FenceReading>;
  /** Which of all shards are read-only, and why: up to 100 addresses for each. */
  readBehind(): Promise<BehindReading>;
  /** Every address of the shard. */
  loadShard(fence: Fence): Promise<readonly AddressImage[]>;
  /** Every address under one root: what memory is set right from after an unknown outcome. */
  loadRoot(fence: Fence, root: string): Promise<readonly AddressImage[]>;
  /**
   * Commits one changeset. `fenced`, too, where the generation is another than the `known` one, or fewer
   * commits are counted than are known of: memory is then of another truth. `behind` where the shard is
   * read-only.
   */
  commit(fence: Fence, changeset: Changeset, known?: KnownTruth): Promise<CommitOutcome>;
  /**
   * Commits several changesets of the fence's shard in one transaction, in order, all or nothing: a
   * conflict or an error is of the group, whichever of them it came from. One that expects what an
   * earlier one of the group writes finds it.
   */
  commitAll(
    fence: Fence,
    changesets: readonly Changeset[],
    known?: KnownTruth,
  ): Promise<CommitOutcome>;
  /**
   * Makes the shard read-only, until the restore is accepted: JetStream holds of these addresses what
   * the truth, of this generation, lacks. They replace those that were declared before. Answers all
   * that is known.
   */
  declareBehind(
    fence: Fence,
    generation: number,
    addresses: readonly BehindAddress[],
  ): Promise<TruthBehind>;
  /**
   * Raises the generation above every one that was seen, ends all read-only shards, and records who
   * did so in the history of their roots, in one transaction; as it was looked at only. What was rolling
   * in those shards is paused ({@link PAUSED_BY_RESTORE}): it may have been stopped since the copy.
   */
  acceptRestore(acceptance: RestoreAcceptance): Promise<RestoreOutcome>;
  /** Records what JetStream holds now. */
  markPublished(
    fence: Fence,
    items: readonly { address: AddressText; version: number; publishedAt: string }[],
  ): Promise<void>;
  readDefinition(
    fence: Fence,
    address: AddressText,
    version: number,
  ): Promise<Definition | undefined>;
  /** Where the newest version of `address` came from that was merged from the address `from`. */
  readOrigin(
    fence: Fence,
    address: AddressText,
    from: AddressText,
  ): Promise<MergeOrigin | undefined>;
  /** Newest first, `address` itself only. */
  readHistory(
    fence: Fence,
    address: AddressText,
    query: HistoryQuery,
  ): Promise<readonly StoredHistoryEntry[]>;
  /** Last written first over all addresses; not bound to a shard, a projection for people. */
  readAudit(query: AuditQuery): Promise<readonly StoredHistoryEntry[]>;
  /** Every known address, in order; not bound to a shard, for people. */
  readInventory(query: InventoryQuery): Promise<readonly ScopeView[]>;
  /** Every release in stages under way, and what is queued, in order of address; not bound to a shard, for people. */
  readReleases(query: ReleasesQuery): Promise<readonly StagedAddress[]>;
  findIdempotent(fence: Fence, key: string): Promise<IdempotencyRecord | undefined>;
  /** Deletes idempotency records of the shard that are older; answers how many. */
  sweepIdempotency(fence: Fence, olderThan: IdempotencyAges): Promise<number>;
}

export type { SchemaRef };
