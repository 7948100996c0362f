import {
  cohortOf,
  HEALTH_SPANS,
  isHigher,
  LATENCY_BUCKETS,
  latencyBucketOf,
} from '@pawl/contracts';
import type {
  AckItem,
  AddressText,
  HelloHealth,
  Prepare,
  Snapshot,
  VoteItem,
} from '@pawl/contracts';
import type { ConsumerRef } from '../config-engine.js';
import type { EngineWorld } from './engine-world.js';

/** What a consumer runs. */
interface Held {
  readonly generation: number;
  readonly version: number;
  readonly hash: string;
  readonly cohort: string;
}

/** What a service reports at once. */
export interface Served {
  readonly requests?: number;
  readonly errors?: number;
  readonly latencyMs?: number;
}

/** One instance that opens one address, and runs what is published there as its cohort. */
export class FakeConsumer {
  slot: number | null = null;
  held: Held | null = null;
  /** While false nothing is heard of it. */
  up = true;
  /** Why it rejects a snapshot; `null`: it applies it. */
  judge: (snapshot: Snapshot, cohort: string) => string | null = () => null;
  /** What it makes of a document that it is asked about; `null`: it does not answer. */
  vote: (prepare: Prepare) => Pick<VoteItem, 'verdict' | 'pointer' | 'reason'> | null = () => ({
    verdict: 'accept',
  });
  /** While true it reports nothing of what is published. */
  isStuck = false;
  incarnation: string;
  /** What is running in it; `undefined`: it does not say. */
  build: string | undefined;
  /** What it serves in a second, as which cohort; `null`: it reports nothing. */
  serves: (cohort: string) => Served | null = () => null;
  /** What it reported under what it runs, and before. */
  #health: readonly HelloHealth[] = [];
  #spans = 0;
  #rejected: Held | null = null;
  #starts = 1;

  constructor(
    private readonly world: EngineWorld,
    readonly ref: ConsumerRef,
    readonly at: AddressText,
    readonly labels: Readonly<Record<string, string>>,
  ) {
    this.incarnation = `${ref.consumerId}-1`;
  }

  /** Reports what it serves in a second. */
  serve(): void {
    const served = this.serves(this.held?.cohort ?? '');
    if (served !== null) this.report(served);
  }

  /** Reports as a service does, for what it runs. */
  report({ requests = 1, errors = 0, latencyMs }: Served): void {
    const [present, ...former] = this.#health;
    if (present === undefined || !this.up) return;
    const latency = Array.from({ length: LATENCY_BUCKETS }, (_, n) => present.latency[n] ?? 0);
    if (latencyMs !== undefined) latency[latencyBucketOf(latencyMs)]! += requests;
    const sums = { requests: present.requests + requests, errors: present.errors + errors };
    this.#health = [{ ...present, ...sums, latency }, ...former];
  }

  /** A heartbeat, which tells it its slot. */
  async hello(leaving = false): Promise<void> {
    if (!this.up) return;
    const { generation, version, hash, cohort } = this.held ?? {};
    const run =
      this.held === null
        ? { generation: 0, version: 0 }
        : { generation: generation ?? 0, version: version ?? 0, hash: hash ?? '', cohort };
    const reply = await this.world.use.hello(this.ref, {
      ...{ format: 1, incarnation: this.incarnation, labels: { ...this.labels } },
      ...(this.build === undefined ? {} : { build: this.build }),
      runs: [{ address: this.at, ...run, ...this.#saidHealth() } as never],
      ...(leaving ? { leaving: true as const } : {}),
    });
    if (reply !== undefined) this.slot = reply.slot;
  }

  /** The process ends without a word. */
  kill(): void {
    this.up = false;
  }

  /** The process ends without a word, and another begins in its place; it runs nothing yet. */
  async restart(build = this.build): Promise<void> {
    this.#starts += 1;
    this.incarnation = `${this.ref.consumerId}-${this.#starts}`;
    this.build = build;
    this.held = null;
    this.#rejected = null;
    await this.hello();
  }

  async leave(): Promise<void> {
    await this.hello(true);
    this.up = false;
  }

  /** Takes what is published, and says what it made of it. */
  follow(): void {
    const snapshot = this.world.publisher.snapshots.get(this.at);
    if (!this.up || this.isStuck || snapshot === undefined) return;
    const cohort = this.cohortIn(snapshot);
    const { generation, version, hash } = snapshot;
    const next: Held = { generation, version, hash, cohort };
    if (isKnown(this.held, next) || isKnown(this.#rejected, next)) return;
    const reason = this.judge(snapshot, cohort);
    if (reason === null) this.#run(next);
    else this.#rejected = next;
    const state = reason === null ? 'applied' : 'rejected';
    this.#ack({ ...next, state, ...(reason === null ? {} : { reason }) });
  }

  /** It is asked what it would make of a document. */
  prepare(message: Prepare): void {
    const { address, only, cohorts, kinds, workload, id, hash } = message;
    const isMeant =
      address === this.at &&
      (workload === undefined || workload === this.ref.workload) &&
      (only === undefined || only.includes(this.incarnation)) &&
      (cohorts === undefined || cohorts.includes(this.held?.cohort ?? '')) &&
      (kinds === undefined ||
        kinds.some(({ workload: of, build }) => of === this.ref.workload && build === this.build));
    const answer = this.up && isMeant ? this.vote(message) : null;
    if (answer === null) return;
    const items: VoteItem[] = [{ id, address, hash, ...answer }];
    this.world.use.vote(this.ref, { format: 1, incarnation: this.incarnation, items });
  }

  cohortIn({ releases }: Pick<Snapshot, 'releases'>): string {
    const { ref, slot, labels } = this;
    return cohortOf(releases, { workload: ref.workload, slot, labels });
  }

  #run(next: Held): void {
    this.held = next;
    this.#spans += 1;
    const { generation, version, cohort } = next;
    const tag = { span: this.#spans, generation, version, ...(cohort === '' ? {} : { cohort }) };
    const present = { ...tag, requests: 0, errors: 0, latency: [] };
    this.#health = [present, ...this.#health].slice(0, HEALTH_SPANS);
  }

  #saidHealth(): { readonly health?: readonly HelloHealth[] } {
    const health = this.#health.filter(({ requests, errors }) => requests > 0 || errors > 0);
    return health.length === 0 ? {} : { health };
  }

  #ack(item: Held & Pick<AckItem, 'state' | 'reason'>): void {
    const { cohort, ...rest } = item;
    const items: AckItem[] = [
      { address: this.at, ...rest, ...(cohort === '' ? {} : { cohort }), ageMs: 0 },
    ];
    this.world.use.ack(this.ref, { format: 1, incarnation: this.incarnation, items });
  }
}

/** Instances that say hello every five seconds, and follow what is published once a second. */
export class FakeFleet {
  readonly all: FakeConsumer[] = [];
  #sinceHelloMs = 0;

  /** Those who are asked beforehand what they would make of a document answer in the next turn. */
  constructor(private readonly world: EngineWorld) {
    world.publisher.onPrepare = (message) =>
      void Promise.resolve().then(() => {
        for (const one of this.all) one.prepare(message);
      });
  }

  /** More instances of a workload at an address; they are heard at once. */
  async add(
    at: string,
    workload: string,
    count: number,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<FakeConsumer[]> {
    const [root = ''] = at.split(/[/:]/);
    const from = this.all.filter(({ ref }) => ref.workload === workload).length;
    const added = Array.from({ length: count }, (_, index) => {
      const ref = { root, workload, consumerId: `${workload}-${from + index}` };
      return new FakeConsumer(this.world, ref, at as AddressText, labels);
    });
    this.all.push(...added);
    for (const one of added) await one.hello();
    await this.world.settle();
    this.follow();
    return added;
  }

  get live(): FakeConsumer[] {
    return this.all.filter(({ up }) => up);
  }

  follow(): void {
    for (const one of this.all) one.follow();
  }

  async hello(): Promise<void> {
    for (const one of this.all) await one.hello();
    await this.world.settle();
  }

  /** Lets time pass; everybody who is up goes on reporting. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) {
      const stepMs = Math.min(1_000, left);
      this.follow();
      for (const one of this.all) one.serve();
      await this.world.pass(stepMs);
      this.follow();
      this.#sinceHelloMs += stepMs;
      if (this.#sinceHelloMs < 5_000) continue;
      this.#sinceHelloMs = 0;
      await this.hello();
    }
  }

  /** Those that are candidates of some release by what is published at their address. */
  candidates(): FakeConsumer[] {
    return this.live.filter((one) => {
      const snapshot = this.world.publisher.snapshots.get(one.at);
      return snapshot !== undefined && one.cohortIn(snapshot) !== '';
    });
  }
}

function isKnown(known: Held | null, next: Held): boolean {
  if (known === null || isHigher(next, known)) return false;
  return isHigher(known, next) || known.cohort === next.cohort;
}
