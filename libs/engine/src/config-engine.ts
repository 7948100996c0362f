import type {
  Ack,
  AddressText,
  Address,
  AuditItem,
  ClusterView,
  ConsumerState,
  ConsumerPage,
  ConsumersThen,
  DefinitionView,
  DiffView,
  EndedRelease,
  EndedReleaseSummary,
  EffectiveView,
  Hello,
  HelloReply,
  HistoryItem,
  JsonObject,
  JsonValue,
  MergeOrigin,
  MergeView,
  Outcome,
  Page,
  PastState,
  PreflightRequest,
  PreflightView,
  PreviewRequest,
  PresentState,
  PreviewView,
  ReleaseItem,
  ReleaseRequest,
  ReleaseSummary,
  ReleaseView,
  RolloutView,
  ScopeView,
  SourceChange,
  Vote,
  WrittenView,
} from '@pawl/contracts';

/** What a write expects of the newest definition version. */
export type Precondition =
  | { readonly kind: 'none-given' }
  /** `If-Match: "n"` (several tags: any of them). */
  | { readonly kind: 'match'; readonly versions: readonly number[] }
  /** `If-Match: *`: any version, but one. */
  | { readonly kind: 'match-any' }
  /** `If-None-Match: *`: none. */
  | { readonly kind: 'match-none' };

/** Who asks, and how a retry is recognised. */
export interface CommandContext {
  readonly actor: string;
  /** Method, path and `Idempotency-Key` as one string; `requestHash` covers the rest. */
  readonly idempotency?: { readonly key: string; readonly requestHash: string };
  /** Asked before anything is changed, when nothing else can change it: whether there still is reason to. */
  readonly stillHolds?: () => boolean;
}

/** A write's answer. `replayed` carries the status of the first answer to the same key. */
export interface Written<T> {
  readonly status: number;
  readonly body: T;
  readonly replayed: boolean;
}

export interface WriteOptions {
  readonly address: Address;
  readonly precondition: Precondition;
  readonly message?: string;
  readonly context: CommandContext;
  readonly away?: Away;
}

/**
 * Told, at most once, that the request goes to another node or waits for one: nothing of it is worked on
 * here until its turn is asked for anew.
 */
export type Away = () => void;

export type PatchKind = 'merge-patch' | 'json-patch';

/** What merges onto an address are counted from. */
export interface MergeBase {
  /** Newest definition version there; 0: none. */
  readonly version: number;
  /** Of the newest version that was merged from the address that is asked about. */
  readonly origin?: MergeOrigin;
}

export interface PageQuery {
  readonly limit: number;
  readonly cursor?: string;
}

/** What of the audit is told: all of it, or what is not older than either of these. */
export interface AuditPageQuery extends PageQuery {
  /** RFC 3339. */
  readonly since?: string;
  /** Milliseconds before now. */
  readonly withinMs?: number;
}

/** Which consumers of an address, and when: at a time, or so long before now. */
export type PastQuery = PageQuery & {
  /** Without it: everybody but who had left, unless one is named. */
  readonly state?: PastState;
  readonly workload?: string;
  readonly consumerId?: string;
} & (
    | {
        /** RFC 3339. */
        readonly at: string;
      }
    | { readonly withinMs: number }
  );

/**
 * Every use-case of the control plane. Expected failures are problems in the outcome; a refused
 * request changes nothing. Documents arrive parsed by `parseJson`, so they hold no duplicate keys,
 * no `__proto__`, no lone surrogates, and are within the depth limit.
 */
export interface ConfigEngine {
  putConfig(options: WriteOptions, document: JsonValue): Promise<Outcome<Written<WrittenView>>>;
  patchConfig(
    options: WriteOptions,
    kind: PatchKind,
    patch: JsonValue,
  ): Promise<Outcome<Written<WrittenView>>>;
  putSchema(options: WriteOptions, schema: JsonValue): Promise<Outcome<Written<WrittenView>>>;
  deleteSchema(options: WriteOptions): Promise<Outcome<Written<WrittenView>>>;
  /** Merges what changed elsewhere, as `readSourceChange` has it, onto the newest version. */
  mergeConfig(options: WriteOptions, change: SourceChange): Promise<Outcome<Written<WrittenView>>>;
  /** What that would write; writes nothing. */
  planMerge(address: Address, change: SourceChange, away?: Away): Promise<Outcome<MergeView>>;
  getMergeBase(address: Address, from: Address): Promise<Outcome<MergeBase>>;
  getConfig(address: Address, version?: number): Promise<Outcome<DefinitionView>>;
  getSchema(
    address: Address,
    version?: number,
  ): Promise<Outcome<{ readonly version: number; readonly schema: JsonValue }>>;
  release(
    address: Address,
    request: ReleaseRequest,
    context: CommandContext,
    away?: Away,
  ): Promise<Outcome<Written<ReleaseView>>>;
  getRelease(address: Address): Promise<Outcome<ReleaseView>>;
  getEffective(
    address: Address,
    query: {
      readonly explain: boolean;
      readonly consumerId?: string;
      readonly workload?: string;
    },
  ): Promise<Outcome<EffectiveView>>;
  getRollout(address: Address): Promise<Outcome<RolloutView>>;
  /** Calls back, coalesced, whenever the rollout of `address` may read differently. */
  watchRollout(address: Address, changed: () => void): { readonly stop: () => void };
  listConsumers(
    address: Address,
    query: PageQuery & { readonly state?: ConsumerState },
  ): Promise<Outcome<ConsumerPage>>;
  /** What they ran at a time, as was saved, whoever owns the address. */
  consumersThen(address: Address, query: PastQuery): Promise<Outcome<ConsumersThen>>;
  listHistory(address: Address, query: PageQuery): Promise<Outcome<Page<HistoryItem>>>;
  listAudit(query: AuditPageQuery): Promise<Outcome<Page<AuditItem>>>;
  diff(address: Address, from: number, to: number): Promise<Outcome<DiffView>>;
  preview(address: Address, request: PreviewRequest, away?: Away): Promise<Outcome<PreviewView>>;
  /**
   * What the live consumers make of promoting a version, at the address and below; changes nothing. One
   * that is repeated under the same `id`, which is unlike that of every other, is joined.
   */
  preflight(
    address: Address,
    request: PreflightRequest,
    id: string,
  ): Promise<Outcome<PreflightView>>;
  listScopes(query: PageQuery & { readonly prefix?: string }): Promise<Outcome<Page<ScopeView>>>;
  /** Releases in stages under way, and promotes that begin later, by address. */
  listReleases(
    query: PageQuery & { readonly state?: PresentState },
  ): Promise<Outcome<Page<ReleaseItem>>>;
  /** Releases in stages that have ended, over all addresses, the last first. */
  listEndedReleases(query: AuditPageQuery): Promise<Outcome<Page<EndedRelease>>>;
  /** What became of the release of this id, which has ended, and what was done of it. */
  endedRelease(id: string): Promise<Outcome<EndedReleaseSummary>>;
  /** The address that the release of this id, which is under way, is of. */
  findRelease(id: string): Promise<Outcome<Address>>;
  /** What that release has reached. */
  sumUpRelease(address: Address, id: string): Promise<Outcome<ReleaseSummary>>;
  /**
   * Lets the owner look at the releases of the address's root now: what it does then it decides itself.
   * Asked twice, or for nothing, it changes nothing.
   */
  lookAgain(address: Address): Promise<Outcome<null>>;
  cluster(): Promise<Outcome<ClusterView>>;

  /** A heartbeat; `undefined` when this node does not own the root's shard. */
  hello(from: ConsumerRef, hello: Hello): Promise<HelloReply | undefined>;
  ack(from: ConsumerRef, ack: Ack): void;
  /** An answer in a preflight. */
  vote(from: ConsumerRef, vote: Vote): void;
}

export interface ConsumerRef {
  readonly root: string;
  readonly workload: string;
  readonly consumerId: string;
}

/** What timed work asks the owner of a shard to do; answers how many things were removed. */
export type SweepKind = 'idempotency' | 'consumers' | 'contents';

/** For metrics and readiness. */
export interface EngineStatus {
  readonly ownedShards: number;
  readonly servedShards: number;
  /** Of the served ones those of which PostgreSQL lacks what was seen elsewhere. */
  readonly readOnlyShards: number;
  readonly pendingPublications: number;
  readonly liveConsumers: number;
}

/** What live consumers run, for metrics. */
export interface FleetStatus {
  /** Live consumers that have not applied what was published longer ago than the bound. */
  readonly overdueConsumers: number;
  /** At most 1,000 addresses that live consumers have open. */
  readonly versions: readonly {
    readonly address: string;
    /** Published snapshot version; 0: none. */
    readonly published: number;
    /** Lowest snapshot version that a live consumer runs; 0: none yet. */
    readonly lowestApplied: number;
  }[];
}

export type { AddressText, JsonObject };
