import { address, canonicalize, parseJson, shardOf } from '@pawl/contracts';
import type {
  AddressText,
  HistoryItem,
  JsonValue,
  Outcome,
  ReleaseRequest,
  ReleaseView,
  RolloutView,
  Sha256,
  Snapshot,
  SnapshotVariant,
  Strategy,
  WrittenView,
} from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import type {
  CommandContext,
  ConfigEngine,
  Precondition,
  SweepKind,
  Written,
} from '../config-engine.js';
import type { SchemaValidator } from '../config/schema-validator.port.js';
import { createEngine } from '../create-engine.js';
import type { Engine } from '../create-engine.js';
import { DEFAULT_ENGINE_SETTINGS } from '../engine-context.js';
import type { EngineContext, EngineSettings } from '../engine-context.js';
import type { WakeUps } from '../release/wake-ups.port.js';
import type { FencingToken } from '../sharding/fence.js';
import type { ShardMark } from '../sharding/shard-mark.js';
import type { ShardOwnership } from '../sharding/shard-ownership.port.js';
import { FakeGateProbes } from './fake-gate-probes.js';
import { FakeSavedStatus } from './fake-saved-status.js';
import { FakeSnapshotPublisher } from './fake-snapshot-publisher.js';
import { FakeStatusStore } from './fake-status-store.js';
import { FakeTruthStore } from './fake-truth-store.js';
import { WorldTime } from './world-time.js';

const SHARDS = 4;
const FIRST_SERVED = '2026-01-01T00:00:00.000Z';
const ANYONE: CommandContext = { actor: 'anonymous' };

/** What a world is made of that pure code is handed. */
export interface WorldParts {
  readonly sha256: Sha256;
  readonly validator: SchemaValidator;
  readonly formatTime: (ms: number) => string;
  readonly parseTime: (text: string) => number;
  /** Lets promises that are ready run. */
  readonly settle: () => Promise<void>;
  readonly settings?: Partial<EngineSettings>;
}

/** What the quorum remembers of a shard. */
export type Remembered = (shard: number) => ShardMark | null;

/** The engine with every port faked but the validator; time moves only by hand. */
export class EngineWorld {
  readonly time = new WorldTime(1_767_225_600_000);
  readonly truth = new FakeTruthStore(
    { name: 'main', id: 'test', generation: 1, shards: SHARDS },
    () => this.time.monotonicMs(),
  );
  readonly publisher = new FakeSnapshotPublisher(this.time);
  readonly status = new FakeStatusStore(SHARDS);
  readonly incidents: string[] = [];
  /** Changesets of each transaction that was committed. */
  readonly committed: number[] = [];
  /** Propagation times that were told, `null` where none was measured. */
  readonly propagations: (number | null)[] = [];
  readonly logged: string[] = [];
  readonly rechecked: number[] = [];
  /** Told what is to be looked at again, and when. */
  wakeUps: WakeUps = { at: () => undefined };
  /** As the metadata store answers. */
  rememberedGeneration = (): Promise<number> => Promise.resolve(0);
  readonly probes = new FakeGateProbes();
  engine: Engine;
  #token = 100n;

  constructor(private readonly parts: WorldParts) {
    this.engine = createEngine(this.#context());
  }

  get use(): ConfigEngine {
    return this.engine.use;
  }

  /** What this node claimed its shards under last. */
  get token(): FencingToken {
    return this.#token as FencingToken;
  }

  /** This node claims every shard under the next token. */
  async claimAll(remembered: Remembered = () => null): Promise<void> {
    this.#token += 1n;
    for (let shard = 0; shard < SHARDS; shard += 1) {
      await this.engine.host.claimed({ shard, token: this.token }, remembered(shard));
    }
    await this.settle();
  }

  /** Another owner raises the fence of a root's shard behind this node's back. */
  async fenceOff(root: string): Promise<void> {
    const token = (this.#token + 1_000n) as FencingToken;
    await this.truth.raiseFence({ shard: shardOf(root, SHARDS), token }, 'another');
  }

  /** The claim of a root's shard is gone, or to be given to another. */
  lose(root: string): Promise<void> {
    const token = this.#token as FencingToken;
    return this.engine.host.lost({ shard: shardOf(root, SHARDS), token });
  }

  /** The process is gone and starts again with the same stores. */
  async restart(remembered: Remembered = () => null): Promise<void> {
    await this.engine.stop();
    this.engine = createEngine(this.#context());
    await this.claimAll(remembered);
  }

  /** Runs one kind of sweep over every shard. */
  async sweepAll(kind: SweepKind): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard += 1) {
      await this.engine.sweep({ shard, token: this.#token }, kind);
    }
  }

  /** Another node with the same stores, which has claimed nothing. */
  otherEngine(): Engine {
    return createEngine(this.#context());
  }

  async settle(): Promise<void> {
    await this.parts.settle();
  }

  /** Lets time pass in steps, running what becomes due. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      this.time.advance(Math.min(50, left));
      await this.settle();
    }
  }

  put(
    at: string,
    document: JsonValue,
    precondition: Precondition = { kind: 'none-given' },
    context: CommandContext = ANYONE,
  ): Promise<Outcome<Written<WrittenView>>> {
    return this.use.putConfig({ address: address(at), precondition, context }, document);
  }

  /** Writes over whatever is there. */
  over(at: string, document: JsonValue): Promise<Outcome<Written<WrittenView>>> {
    return this.put(at, document, { kind: 'match-any' });
  }

  putSchema(
    at: string,
    schema: JsonValue,
    precondition: Precondition = { kind: 'none-given' },
  ): Promise<Outcome<Written<WrittenView>>> {
    const options = { address: address(at), precondition, context: ANYONE };
    return this.use.putSchema(options, schema);
  }

  release(at: string, request: ReleaseRequest): Promise<Outcome<Written<ReleaseView>>> {
    return this.use.release(address(at), request, ANYONE);
  }

  promote(at: string, targetVersion?: number): Promise<Outcome<Written<ReleaseView>>> {
    const target = targetVersion === undefined ? {} : { targetVersion };
    return this.release(at, { action: 'promote', ...target });
  }

  /** Begins a release in stages of the newest version; without a preflight, unless the strategy names one. */
  begin(at: string, strategy: Strategy): Promise<Outcome<Written<ReleaseView>>> {
    const isPreset = typeof strategy === 'string';
    const options = isPreset ? { preset: strategy as 'canary' } : strategy;
    return this.release(at, { action: 'promote', strategy: { preflight: false, ...options } });
  }

  async releaseOf(at: string): Promise<ReleaseView> {
    return valueOf(await this.use.getRelease(address(at)));
  }

  async rollout(at: string): Promise<RolloutView> {
    return valueOf(await this.use.getRollout(address(at)));
  }

  /** The last lines of history, the newest first. */
  async history(at: string, limit = 1): Promise<readonly HistoryItem[]> {
    return valueOf(await this.use.listHistory(address(at), { limit })).items;
  }

  /** What is published at an address, once everything that is ready has run. */
  async published(at: string): Promise<Snapshot> {
    await this.settle();
    const snapshot = this.publisher.snapshots.get(at as AddressText);
    assert(snapshot !== undefined, `a snapshot of ${at} is published`);
    return snapshot;
  }

  /** What a consumer of a cohort reads at an address: inline, or the content by its hash. */
  async read(at: string, cohort = ''): Promise<JsonValue> {
    const { variants } = await this.published(at);
    const variant = variants[cohort];
    return variant === undefined ? null : this.#contentOf(at, variant);
  }

  #contentOf(at: string, variant: SnapshotVariant): JsonValue {
    if (variant.absent === true) return null;
    if (variant.inline !== undefined) return variant.inline as JsonValue;
    const text = this.publisher.contents.get(`${address(at).root}/${variant.hash}`);
    assert(text !== undefined, `the content ${variant.hash} is stored`);
    const parsed = parseJson(text);
    assert(parsed.ok && canonicalize(parsed.value) === text, 'contents are canonical');
    return parsed.value;
  }

  #context(): EngineContext {
    const { sha256, validator, formatTime, parseTime, settings } = this.parts;
    const log = (message: string): void => void this.logged.push(message);
    return {
      installation: { name: 'main', id: 'test', generation: 1, shards: SHARDS },
      truth: this.truth,
      status: this.status,
      savedStatus: new FakeSavedStatus({ truth: this.truth, status: this.status, shards: SHARDS }),
      publisher: this.publisher,
      validator,
      gateProbes: this.probes,
      ownership: this.#ownership(),
      wakeUps: { at: (at, wallMs) => this.wakeUps.at(at, wallMs) },
      clock: this.time,
      timer: this.time,
      scheduler: { yield: () => Promise.resolve() },
      sha256,
      log: { debug: log, info: log, warn: log, error: log },
      observer: {
        written: () => undefined,
        committed: (changesets) => void this.committed.push(changesets),
        published: () => undefined,
        applied: (_, propagationMs) => void this.propagations.push(propagationMs),
        rejected: () => undefined,
        incident: (kind) => void this.incidents.push(kind),
      },
      formatTime,
      parseTime,
      settings: { ...DEFAULT_ENGINE_SETTINGS, ...settings },
    };
  }

  #ownership(): ShardOwnership {
    return {
      nodeId: 'node-1',
      incarnation: 'test',
      start: () => Promise.resolve(),
      drain: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      setTruth: () => undefined,
      setDistribution: () => undefined,
      mayMove: () => false,
      rememberedGeneration: () => this.rememberedGeneration(),
      map: () =>
        Array.from({ length: SHARDS }, (_, shard) => ({
          shard,
          owner: 'node-1',
          token: this.#token,
          serving: true,
          since: FIRST_SERVED,
        })),
      onChange: () => ({ stop: () => undefined }),
      lookUp: (shard) =>
        Promise.resolve({
          shard,
          owner: 'node-1',
          token: this.#token,
          serving: true,
          since: FIRST_SERVED,
        }),
      status: () =>
        Promise.resolve({
          nodes: [],
          quorum: { members: [], leader: null, term: 0, revision: 0 },
        }),
      recheck: (shard) => void this.rechecked.push(shard),
    };
  }
}

function valueOf<T>(outcome: Outcome<T>): T {
  assert(outcome.ok, 'what was asked for is there');
  return outcome.value;
}
