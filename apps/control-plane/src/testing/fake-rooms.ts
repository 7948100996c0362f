import { systemClock } from '@pawl/contracts/node';
import { done } from '@pawl/contracts';
import type {
  ClusterStatus,
  FencingToken,
  Installation,
  SchemaValidator,
  ShardClaim,
  ShardHost,
  ShardOwnership,
} from '@pawl/engine';
import {
  FakeSnapshotPublisher,
  FakeStatusStore,
  FakeTruthStore,
  FakeWebhookOutbox,
} from '@pawl/engine/testing';
import type { LookJobsOptions, SweepJobsOptions } from '@pawl/jobs';
import type { OpenedMetadata, Rooms } from '../composition.js';

const SHARDS = 4;
const STARTED = '2026-01-01T00:00:00.000Z';
const INSTALLATION: Installation = { name: 'main', id: 'test', generation: 1, shards: SHARDS };

/** Claims every shard as soon as it is started. */
class FakeOwnership implements ShardOwnership {
  readonly nodeId = 'node-1';
  readonly incarnation = 'test';
  #owned = false;
  #given = false;

  constructor(
    private readonly log: string[],
    private readonly rooms: Pick<FakeRooms, 'draining' | 'others' | 'natsProblem'>,
  ) {}

  async start(host: ShardHost): Promise<void> {
    this.log.push('ownership started');
    this.#owned = true;
    for (const { shard } of this.map()) await host.claimed({ shard, token: 1n as FencingToken });
  }

  async drain(): Promise<void> {
    await this.rooms.draining();
    this.log.push('shards handed over');
    this.#given = this.rooms.others;
  }

  setTruth(): void {}

  setDistribution(problem: string | null): void {
    this.rooms.natsProblem = problem;
  }

  mayMove(): boolean {
    return false;
  }

  async stop(): Promise<void> {
    this.log.push('ownership stopped');
  }

  map(): readonly ShardClaim[] {
    return Array.from({ length: SHARDS }, (_, shard) => this.#claim(shard));
  }

  onChange(): { stop(): void } {
    return { stop: () => undefined };
  }

  async rememberedGeneration(): Promise<number> {
    return 0;
  }

  async lookUp(shard: number): Promise<ShardClaim> {
    return this.#claim(shard);
  }

  #claim(shard: number): ShardClaim {
    if (this.#given) return { shard, owner: 'node-2', token: 2n, serving: true, since: STARTED };
    return this.#owned
      ? { shard, owner: this.nodeId, token: 1n, serving: true, since: STARTED }
      : { shard, owner: null, token: null, serving: false, since: null };
  }

  async status(): Promise<ClusterStatus> {
    return {
      nodes: [{ id: this.nodeId, state: 'ready' }],
      quorum: { members: [this.nodeId], leader: this.nodeId, term: 1, revision: 1 },
    };
  }

  recheck(): void {}
}

/** Rooms in memory that note what was opened and closed, in order. */
export class FakeRooms implements Rooms {
  readonly log: string[] = [];
  readonly truth = new FakeTruthStore(INSTALLATION);
  readonly publisher = new FakeSnapshotPublisher(systemClock);
  jobs: SweepJobsOptions | undefined;
  looks: LookJobsOptions | undefined;
  /** Hints that were given to the queue. */
  readonly hints: string[] = [];
  metadataProblem: string | null = null;
  /** What the ownership was told last of NATS. */
  natsProblem: string | null | undefined;
  /** What the truth has to say when it is opened. */
  notes: readonly string[] = [];
  /** Resolves when the shards are handed over. */
  draining = (): Promise<void> => Promise.resolve();
  /** Whether another node owns the shards from then on. */
  others = false;
  /** Thrown by the room of that name when it is opened. */
  readonly failures = new Map<keyof Rooms, Error>();

  async openMetadata(): Promise<OpenedMetadata> {
    this.#open('openMetadata', 'metadata opened');
    return {
      endpoints: { peer: '127.0.0.1:7480', etcd: 'http://127.0.0.1:7479' },
      ownership: async () => new FakeOwnership(this.log, this),
      problem: async () => this.metadataProblem,
      members: async () => [],
      close: async () => void this.log.push('metadata closed'),
    };
  }

  async openTruth(): ReturnType<Rooms['openTruth']> {
    this.#open('openTruth', 'truth opened');
    const opened = {
      truth: this.truth,
      status: new FakeStatusStore(SHARDS),
      webhookOutbox: new FakeWebhookOutbox(systemClock),
      notes: this.notes,
      close: async () => void this.log.push('truth closed'),
    };
    return opened as unknown as Awaited<ReturnType<Rooms['openTruth']>>;
  }

  async connectDistribution(): ReturnType<Rooms['connectDistribution']> {
    this.#open('connectDistribution', 'distribution opened');
    const { publisher } = this;
    const distribution = {
      connection: { flush: async () => undefined, request: async () => ({ json: () => ({}) }) },
      publisher,
      get problem() {
        return publisher.healthy() ? null : 'does not answer';
      },
      shortOfCopies: null,
      foreign: false,
      commands: { send: async () => ({ format: 1, ok: true, value: 2 }) },
      close: async () => void this.log.push('distribution closed'),
    };
    return distribution as unknown as Awaited<ReturnType<Rooms['connectDistribution']>>;
  }

  createSchemaValidator(): SchemaValidator {
    this.#open('createSchemaValidator', 'validator opened');
    return {
      prepare: async () => done(undefined),
      validate: async () => ({ kind: 'valid' }),
      close: async () => void this.log.push('validator closed'),
    };
  }

  async startSweepJobs(options: SweepJobsOptions): ReturnType<Rooms['startSweepJobs']> {
    this.#open('startSweepJobs', 'jobs started');
    this.jobs = options;
    return { close: async () => void this.log.push('jobs closed') };
  }

  async startLookJobs(options: LookJobsOptions): ReturnType<Rooms['startLookJobs']> {
    this.#open('startLookJobs', 'looks started');
    this.looks = options;
    return {
      at: (address, wallMs) => void this.hints.push(`${address.text} at ${wallMs}`),
      committed: () => void this.hints.push('committed'),
      close: async () => void this.log.push('looks closed'),
    };
  }

  #open(room: keyof Rooms, entry: string): void {
    const failure = this.failures.get(room);
    if (failure !== undefined) throw failure;
    this.log.push(entry);
  }
}
