import {
  done,
  parseAddress,
  refused,
  type Address,
  type ClusterView,
  type DefinitionView,
  type EndedRelease,
  type EndedReleaseSummary,
  type JsonObject,
  type JsonValue,
  type MergeView,
  type Outcome,
  type ReleaseItem,
  type PreflightRequest,
  type PreflightView,
  type ReleaseRequest,
  type ReleaseView,
  type RolloutView,
  type SourceChange,
  type StrategyStage,
  type WrittenView,
} from '@pawl/contracts';
import type { QueuedView } from '@pawl/contracts';
import type {
  CommandContext,
  ConfigEngine,
  PatchKind,
  Precondition,
  WriteOptions,
  Written,
} from '@pawl/engine';

interface Stored {
  readonly document: JsonObject;
  readonly schema?: JsonValue;
}

export const FAKE_TIME = '2026-01-02T03:04:05.678Z';
const HASH = 'ab'.repeat(32);
const RELEASE_ID = 'r1';
const STAGES: readonly StrategyStage[] = [
  { count: 1, selector: { region: ['eu'] }, bakeMs: 60_000 },
  { percent: 100, bakeMs: 0 },
];

/** The release in stages under way. */
const RELEASE = {
  ...{ id: RELEASE_ID, address: 'acme/shop', state: 'rolling' as const, strategy: 'inline' },
  ...{ candidate: 2, stableVersion: 1, stage: 0, stages: STAGES.length, releaseVersion: 2 },
};

/** One that has ended, in its preflight. */
const ENDED: EndedRelease = {
  ...{ id: 'r0', address: 'acme/shop', state: 'ended', outcome: 'aborted', strategy: 'careful' },
  ...{ candidate: 2, stableVersion: null, stages: 2, releaseVersion: 3, reason: '1 rejects' },
  policyVersion: { address: 'acme:release-policy', version: 4 },
  ...{ begunAt: FAKE_TIME, begunBy: 'ann', endedAt: FAKE_TIME, endedBy: 'pawl' },
};

/** The promote of version 3, which begins later. */
const QUEUED: QueuedView = {
  ...{ id: 'release-2', targetVersion: 3, strategy: 'canary', by: 'ann', queuedAt: FAKE_TIME },
  ...{ reason: 'the sale', freezeException: 'agreed', at: FAKE_TIME, waitsFor: 'its time' },
};

/**
 * A `ConfigEngine` in memory: definitions with preconditions and idempotency keys, everything else a
 * well-formed answer. `calls` records what reached it; `fail` makes every next call throw.
 */
export class FakeConfigEngine implements ConfigEngine {
  /** Whether every root is this node's. */
  servesAll = true;
  readonly calls: { readonly name: keyof ConfigEngine; readonly args: readonly unknown[] }[] = [];
  readonly #definitions = new Map<string, Stored[]>();
  readonly #first = new Map<string, { hash: string; written: Written<never> }>();
  readonly #watchers = new Map<string, Set<() => void>>();
  rollout: RolloutView = idleRollout('acme/shop');
  fail: Error | undefined;

  async putConfig(options: WriteOptions, document: JsonValue) {
    this.#record('putConfig', options, document);
    return this.#write(options, (newest) => ({ ...newest, document: document as JsonObject }));
  }

  async patchConfig(options: WriteOptions, kind: PatchKind, patch: JsonValue) {
    this.#record('patchConfig', options, kind, patch);
    if (!this.#definitions.has(options.address.text)) return notFound(options.address);
    return this.#write(options, (newest) => ({
      ...newest,
      document: { ...newest?.document, ...(patch as JsonObject) },
    }));
  }

  async putSchema(options: WriteOptions, schema: JsonValue) {
    this.#record('putSchema', options, schema);
    return this.#write(options, (newest) => ({ document: newest?.document ?? {}, schema }));
  }

  async deleteSchema(options: WriteOptions) {
    this.#record('deleteSchema', options);
    if (!this.#definitions.has(options.address.text)) return notFound(options.address);
    return this.#write(options, (newest) => ({ document: newest?.document ?? {} }));
  }

  async mergeConfig(options: WriteOptions, change: SourceChange) {
    this.#record('mergeConfig', options, change);
    const document = (change.theirs.document ?? {}) as JsonObject;
    return this.#write(options, (newest) => ({ ...newest, document }));
  }

  async planMerge(address: Address, change: SourceChange): Promise<Outcome<MergeView>> {
    this.#record('planMerge', address, change);
    return done({
      ...{ address: address.text, version: 1, origin: change.origin, changed: false },
      ...{ patch: [{ op: 'remove', path: '/b' }], schema: 'kept', kept: ['/c'], keptCount: 1 },
      conflicts: [{ part: 'document', pointer: '/a', base: 1, theirs: null }],
      ...{ conflictCount: 1, warnings: [] },
    });
  }

  async getMergeBase(address: Address, from: Address) {
    this.#record('getMergeBase', address, from);
    return done({ version: this.#definitions.get(address.text)?.length ?? 0 });
  }

  async getConfig(address: Address, version?: number): Promise<Outcome<DefinitionView>> {
    this.#record('getConfig', address, version);
    const versions = this.#definitions.get(address.text) ?? [];
    const wanted = version ?? versions.length;
    const stored = versions[wanted - 1];
    if (stored === undefined) {
      return version === undefined ? notFound(address) : refused('version-unknown', 'No such.');
    }
    return done({ ...this.#written(address, wanted), ...stored });
  }

  async getSchema(address: Address, version?: number) {
    this.#record('getSchema', address, version);
    const versions = this.#definitions.get(address.text) ?? [];
    const wanted = version ?? versions.length;
    const schema = versions[wanted - 1]?.schema;
    return schema === undefined ? notFound(address) : done({ version: wanted, schema });
  }

  async release(address: Address, request: ReleaseRequest, context: CommandContext) {
    this.#record('release', address, request, context);
    if (request.action === 'abort') return refused('invalid-transition', 'Nothing to abort.');
    const view = request.strategy === undefined ? releaseView : stagedView;
    return done({ status: 200, body: view(address), replayed: false });
  }

  async getRelease(address: Address) {
    this.#record('getRelease', address);
    return done(releaseView(address));
  }

  async getEffective(
    address: Address,
    query: { readonly explain: boolean; readonly consumerId?: string },
  ) {
    this.#record('getEffective', address, query);
    const origin = { address: address.text, version: 1, author: 'ann' };
    return done({
      address: address.text,
      snapshotVersion: 1,
      document: { a: 1 },
      hash: HASH,
      inputs: [],
      ...(query.consumerId === undefined ? {} : { cohort: RELEASE_ID }),
      ...(query.explain ? { explain: { '/a': origin } } : {}),
    });
  }

  async getRollout(address: Address): Promise<Outcome<RolloutView>> {
    this.#record('getRollout', address);
    return address.text === this.rollout.address ? done(this.rollout) : notFound(address);
  }

  watchRollout(address: Address, changed: () => void) {
    this.#record('watchRollout', address);
    const watchers = this.#watchers.get(address.text) ?? new Set();
    this.#watchers.set(address.text, watchers.add(changed));
    return { stop: () => void watchers.delete(changed) };
  }

  /** Sets what `getRollout` answers and tells those who watch it. */
  changeRollout(to: RolloutView): void {
    this.rollout = to;
    for (const changed of this.#watchers.get(to.address) ?? []) changed();
  }

  watchersOf(address: string): number {
    return this.#watchers.get(address)?.size ?? 0;
  }

  async consumersThen(address: Address, query: unknown) {
    this.#record('consumersThen', address, query);
    const at = '2026-01-02T03:04:05.678Z';
    return done({ at, knownSince: at, published: null, items: [] });
  }

  async listConsumers(address: Address, query: unknown) {
    this.#record('listConsumers', address, query);
    const item = {
      workload: 'checkout',
      consumerId: 'host-1',
      incarnation: 'x1',
      labels: { region: 'eu' },
      slot: 0,
      version: 1,
      highestVersion: 1,
      state: 'applied' as const,
      lastSeenAt: FAKE_TIME,
      appliedAt: FAKE_TIME,
    };
    return done({ items: [item], next: 'more' });
  }

  async listHistory(address: Address, query: unknown) {
    this.#record('listHistory', address, query);
    return done({
      items: [{ at: FAKE_TIME, author: 'ann', kind: 'definition' as const, version: 1 }],
    });
  }

  async listAudit(query: unknown) {
    this.#record('listAudit', query);
    const item = { address: 'acme/shop', at: FAKE_TIME, author: 'ann', kind: 'release' as const };
    return done({ items: [item] });
  }

  async diff(address: Address, from: number, to: number) {
    this.#record('diff', address, from, to);
    return done({ from, to, patch: [{ op: 'add', path: '/a', value: 1 }] });
  }

  async preview(address: Address, request: unknown) {
    this.#record('preview', address, request);
    const item = { address: address.text, changed: true, valid: true, consumers: 3 };
    return done({ valid: true, errors: [], patch: [], addresses: [item] });
  }

  async preflight(
    address: Address,
    request: PreflightRequest,
    id: string,
  ): Promise<Outcome<PreflightView>> {
    this.#record('preflight', address, request, id);
    const consumer = {
      ...{ address: address.text, workload: 'checkout', consumerId: 'host-1' },
      ...{ incarnation: 'x1', build: '1.2.3' },
    };
    const counts = { accepted: 1, rejected: 1, cannotSay: 0, silent: 1 };
    return done({
      id,
      address: address.text,
      version: request.targetVersion ?? 1,
      addresses: [{ address: address.text, changed: true, consumers: 3 }],
      consumers: { asked: 3, ...counts },
      valid: false,
      byBuild: [{ workload: 'checkout', build: '1.2.3', zone: 'eu-1', ...counts }],
      rejections: [{ ...consumer, pointer: '/a', reason: 'too many' }],
      reasons: [{ reason: 'too many', count: 1 }],
      unsure: [{ ...consumer, answer: 'silent' }],
    });
  }

  async listScopes(query: unknown) {
    this.#record('listScopes', query);
    const item = {
      address: 'acme/shop',
      newestVersion: 1,
      stableVersion: null,
      state: 'idle' as const,
      snapshotVersion: 0,
    };
    return done({ items: [item] });
  }

  async listReleases(query: unknown) {
    this.#record('listReleases', query);
    const items: ReleaseItem[] = [{ ...RELEASE, queued: QUEUED }];
    return done({ items });
  }

  async findRelease(id: string): Promise<Outcome<Address>> {
    this.#record('findRelease', id);
    const parsed = parseAddress(RELEASE.address);
    return id === RELEASE_ID && parsed.ok
      ? done(parsed.address)
      : refused('unknown-release', 'Ended.');
  }

  async listEndedReleases(query: unknown) {
    this.#record('listEndedReleases', query);
    return done({ items: [ENDED] });
  }

  async endedRelease(id: string): Promise<Outcome<EndedReleaseSummary>> {
    this.#record('endedRelease', id);
    if (id !== ENDED.id) return refused('unknown-release', 'Never was.');
    const { outcome, strategy, candidate, stableVersion, stages } = ENDED;
    const ended = { outcome, strategy, candidate, stableVersion, stages };
    const line = { at: FAKE_TIME, author: 'ann', kind: 'release' as const, releaseId: id };
    return done({ ...ENDED, transitions: [{ ...line, action: 'abort', ended }], more: true });
  }

  async sumUpRelease(address: Address, id: string) {
    this.#record('sumUpRelease', address, id);
    const candidates = { live: 2, applied: 1, rejected: 1, lagging: 0, lost: 0 };
    return done({
      ...RELEASE,
      candidates,
      addresses: [{ address: address.text, candidates }],
      byWorkload: [{ workload: 'checkout', ...candidates }],
      rejections: [{ reason: 'too high', count: 1 }],
      bakeLeftMs: 60_000,
    });
  }

  async lookAgain(address: Address) {
    this.#record('lookAgain', address);
    return done(null);
  }

  async cluster(): Promise<Outcome<ClusterView>> {
    this.#record('cluster');
    return done({
      installation: 'main/1',
      nodes: [{ id: 'node-1', state: 'ready', shards: 1 }],
      quorum: { members: ['node-1'], leader: 'node-1', term: 1, revision: 7 },
      shards: [
        {
          shard: 0,
          owner: 'node-1',
          fencingToken: '281474976710657',
          serving: true,
          since: '2026-01-02T03:04:05.678Z',
          fenceCheckedAt: '2026-01-02T03:04:05.678Z',
        },
      ],
    });
  }

  async hello() {
    return undefined;
  }

  ack(): void {
    this.#record('ack');
  }

  vote(): void {
    this.#record('vote');
  }

  #record(name: keyof ConfigEngine, ...args: unknown[]): void {
    this.calls.push({ name, args });
    if (this.fail !== undefined) throw this.fail;
  }

  #write(
    { address, precondition, context, message }: WriteOptions,
    next: (newest: Stored | undefined) => Stored,
  ): Outcome<Written<WrittenView>> {
    const key = context.idempotency?.key;
    const before = key === undefined ? undefined : this.#first.get(key);
    if (before !== undefined) {
      return before.hash === context.idempotency?.requestHash
        ? done({ ...before.written, replayed: true })
        : refused('idempotency-key-reused', 'Another request used this key.');
    }
    const versions = this.#definitions.get(address.text) ?? [];
    const refusal = judge(precondition, versions.length);
    if (refusal !== null) return refusal;
    this.#definitions.set(address.text, [...versions, next(versions.at(-1))]);
    const version = versions.length + 1;
    const body = { ...this.#written(address, version), author: context.actor };
    const written: Written<WrittenView> = {
      status: version === 1 ? 201 : 200,
      body: message === undefined ? body : { ...body, message },
      replayed: false,
    };
    if (key !== undefined && context.idempotency !== undefined) {
      const { requestHash } = context.idempotency;
      this.#first.set(key, { hash: requestHash, written: written as Written<never> });
    }
    return done(written);
  }

  #written(address: Address, version: number): WrittenView {
    const { text } = address;
    return {
      address: text,
      version,
      hash: HASH,
      author: 'ann',
      createdAt: FAKE_TIME,
      warnings: [],
    };
  }
}

function judge(precondition: Precondition, newest: number): ReturnType<typeof refused> | null {
  const mismatch = refused('version-mismatch', 'Read again.', { currentVersion: newest });
  switch (precondition.kind) {
    case 'none-given':
      return newest === 0 ? null : refused('precondition-required', 'Add If-Match: "1".');
    case 'match':
      return precondition.versions.includes(newest) ? null : mismatch;
    case 'match-any':
      return newest > 0 ? null : mismatch;
    case 'match-none':
      return newest === 0 ? null : mismatch;
  }
}

function notFound(address: Address): ReturnType<typeof refused> {
  return refused('not-found', `Nothing is at ${address.text}.`);
}

function releaseView(address: Address): ReleaseView {
  return { address: address.text, state: 'idle', releaseVersion: 1, stableVersion: 1 };
}

/** Version 2 at the first of two stages, and version 3 behind it. */
function stagedView(address: Address): ReleaseView {
  const staged = {
    ...{ id: RELEASE_ID, strategy: 'inline', stage: 0, stages: STAGES },
    gates: [{ kind: 'rejections' as const, limit: 0, onFailure: 'abort' as const }],
  };
  return { ...releaseView(address), state: 'rolling', candidate: 2, staged, queued: QUEUED };
}

/** A rollout with a release at the first of two stages that waits. */
export function stagedRollout(address: string): RolloutView {
  const release = {
    ...{ id: RELEASE_ID, address, state: 'rolling' as const, candidate: 2 },
    ...{ stage: 0, stages: STAGES },
    candidates: { live: 2, applied: 1, rejected: 0, lagging: 1, lost: 0 },
    bakeLeftMs: 60_000,
    reason: 'one of two applied it',
  };
  return { ...idleRollout(address), releases: [release], queued: QUEUED };
}

/** A rollout without consumers that has converged on version 1. */
export function idleRollout(address: string, version = 1): RolloutView {
  return {
    address,
    published: { version, generation: 1, at: FAKE_TIME, hash: HASH },
    consumers: { live: 0, applied: 0, lagging: 0, rejected: 0, byVersion: {} },
    rejections: [],
    propagationMs: { p50: null, p95: null, p99: null, max: null },
    converged: true,
  };
}
