import { crc32 } from 'node:zlib';
import { address, parseAddress, shardOf, subjectsOf } from '@pawl/contracts';
import type { AddressText, Outcome, Snapshot } from '@pawl/contracts';
import type { ConfigEngine, EngineObserver, Installation } from '@pawl/engine';
import type { Rng } from '@pawl/kernel';
import { SimulatedQuorum } from '../../../libs/metadata/src/testing/simulated-quorum.js';
import { Answers } from './answers.js';
import { SimulatedConsumer } from './consumer.js';
import { ControlPlaneNode } from './control-plane-node.js';
import { Histories } from './histories.js';
import { orderlyHandOver } from './hand-over.js';
import { notedMark } from './noted-marks.js';
import { Ledger } from './ledger.js';
import { checkReported } from './reported.js';
import { SimulatedNats } from './simulated-nats.js';
import { SimulatedPostgres } from './simulated-postgres.js';
import { StagedLife } from './staged-life.js';
import { EVERYBODY, STAGED_ADDRESSES, STAGED_CONSUMERS } from './staged-scenery.js';
import { Violations, ViolationError } from './violations.js';
import { Wire } from './wire.js';
import { WorldFaults } from './world-faults.js';
import { WorldWriter } from './writer.js';
import type { NodesWorldView } from './world-view.js';

const IDS = ['a', 'b', 'c'] as const;
const INSTALLATION: Installation = { name: 'main', id: 'sim', generation: 1, shards: 4 };
const ADDRESSES = [
  'acme',
  'acme/prod',
  'acme/prod/shop',
  'beta',
  'beta/eu',
  'gamma',
  'delta/x',
].map((text) => address(text).text);
const WRITERS = ['p', 'q', 'r', 's', 't', 'u', 'v', 'w'];
const STAGED_WRITERS = ['p', 'q', 'r', 's'];
/** Simulated time within which all must be well again once the faults have ended. */
const HEALED_WITHIN_MS = 60_000;
/** A publication is over by then, with all of its calls. */
const PUBLISHED_IN_MS = 3_000;
/** And every release in stages is over. */
const SETTLED_WITHIN_MS = 180_000;
const RESTART_MS = 300;
/** How long most requests are about one address. */
const HOT_MS = 8_000;
/** Events between two looks at what nodes say of consumers. */
const REPORTED_EVERY = 100;
/**
 * What goes wrong, by seed. `calm`: nodes are stopped in order, one at a time, and nobody may be refused.
 * `owners`: owners of shards alone are harmed, what they depend on is not: most requests are served.
 * `restores`: the same, and PostgreSQL loses what it had.
 */
const KINDS = ['calm', 'restores', 'owners', 'all', 'all', 'all'] as const;
export type WorldKind = (typeof KINDS)[number];
/** How much faster or slower clocks run that nothing is wrong with. */
const DRIFT = 0.02;

export interface NodesReport {
  /** How often each interesting state was reached. */
  readonly reached: Readonly<Record<string, number>>;
  /** Equal for two runs of one seed. */
  readonly trace: number;
}

/**
 * One seed's world: three whole nodes of the control plane over a simulated quorum, one PostgreSQL
 * and one NATS, consumers with the SDK's client, and writers. After a number of events the faults
 * end, everything must come to rest, and what is published is what PostgreSQL holds.
 */
export class NodesWorld implements NodesWorldView {
  readonly judge = new Violations();
  readonly histories = new Histories(this.judge);
  readonly addresses: readonly AddressText[];
  readonly ids = IDS;
  readonly shards = INSTALLATION.shards;
  /** False while the members of the quorum do not reach each other. */
  majority = true;
  readonly rng: Rng;
  readonly wire: Wire;
  readonly quorum: SimulatedQuorum;
  readonly ledger: Ledger;
  readonly answers: Answers;
  readonly postgres: SimulatedPostgres;
  readonly nats: SimulatedNats;
  readonly nodes = new Map<string, ControlPlaneNode>();
  readonly consumers: readonly SimulatedConsumer[];
  readonly log: string[] = [];
  readonly #reached = new Map<string, number>();
  /** What worlds have whose releases go in stages. */
  readonly #staged: StagedLife | null;
  readonly #faults: WorldFaults;
  #ids = 0;
  #isOver = false;

  hot: AddressText = ADDRESSES[0] as AddressText;
  /** Nodes that may not know that others own their shards: asked more than others. */
  readonly doubtful = new Set<string>();
  readonly kind: WorldKind;

  constructor(seed: number, { staged = false }: { readonly staged?: boolean } = {}) {
    this.kind = KINDS[seed % KINDS.length] as WorldKind;
    this.addresses = staged ? STAGED_ADDRESSES : ADDRESSES;
    this.quorum = new SimulatedQuorum({
      seed,
      founders: IDS,
      log: { snapshotEntries: 200, diskMs: 3, tickMs: 100, electionTicks: 8, heartbeatTicks: 2 },
      settings: { callTimeoutMs: 2_000 },
    });
    this.rng = this.quorum.logs.rng;
    this.wire = new Wire(this.quorum.time, this.rng);
    const subjects = subjectsOf(INSTALLATION.name);
    this.nats = new SimulatedNats(this.wire);
    this.ledger = new Ledger(this.judge, {
      generation: INSTALLATION.generation,
      nowMs: () => this.nowMs(),
      shardOf: (address) => shardOf(address.split(/[/:]/, 1)[0] ?? '', INSTALLATION.shards),
      hasContent: (root, hash) => {
        const subject = subjects.content(root, hash);
        const { contents } = this.nats;
        return contents.newest(subject) !== undefined || contents.hasLost(subject, PUBLISHED_IN_MS);
      },
      reached: (what) => this.reached(what),
      noted: (shard, raised) => notedMark(this.quorum, shard, raised),
      everybody: EVERYBODY,
      clocks: () => this.#staged?.clocks() ?? new Map(),
      wallSpan: (owner) => this.#staged?.wallSpan(owner) ?? { fromMs: 0, toMs: 0 },
      claimed: (owner) => this.#staged?.claimed(owner),
      rejections: (head, at) => this.#staged?.rejections(head, at) ?? [],
      wentOn: (owner) => this.#staged?.wentOn(owner),
      paused: (owner) => this.#staged?.paused(owner),
      pinned: (owner) => this.#staged?.pinned(owner),
    });
    this.answers = new Answers(this.ledger, this.histories, this.judge);
    this.postgres = new SimulatedPostgres(INSTALLATION, this.wire, this.ledger);
    this.#faults = new WorldFaults(this);
    this.#staged = staged ? new StagedLife(this, this.#faults) : null;
    const places = staged ? STAGED_CONSUMERS.map(({ at }) => at) : ADDRESSES;
    this.consumers = places.map((at, index) => this.#consumer(index, at));
  }

  /** Throws at the first broken invariant. */
  async run(events: number): Promise<NodesReport> {
    for (const id of IDS) await this.start(id);
    await this.#until('served shards', () => this.#isServed());
    for (const name of this.isStaged ? STAGED_WRITERS : WRITERS)
      new WorldWriter(this, name).start();
    if (this.#staged === null) for (const consumer of this.consumers) consumer.start();
    else this.#staged.start();
    this.#heat();
    this.#faults.start();
    for (let event = 0; event < events; event += 1) {
      await this.#step();
      if (event % REPORTED_EVERY === 0) await this.#checkReported();
    }
    this.#isOver = true;
    this.#heal();
    await this.#rest();
    const reached = Object.fromEntries(this.#reached);
    const seen = [this.ledger.trace, this.histories.trace, [...this.#reached]];
    return { reached, trace: crc32(JSON.stringify(seen)) };
  }

  get isStaged(): boolean {
    return this.#staged !== null;
  }

  get isCalm(): boolean {
    return this.kind === 'calm';
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  nowMs(): number {
    return this.wire.time.monotonicMs();
  }

  later(delayMs: number, task: () => void): void {
    this.wire.later(delayMs, task);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.later(ms, resolve));
  }

  reached(what: string): void {
    this.#reached.set(what, (this.#reached.get(what) ?? 0) + 1);
    if (what === 'write: ok' && !this.majority) this.reached('write without majority');
    const isRefused = this.isCalm && what === 'fenced: commit';
    this.judge.demand(!isRefused, 'a hand-over in order leaves no commit to the next fence (§5.1)');
  }

  note(line: string): void {
    this.log.push(`${this.nowMs().toFixed(0)} ${line}`);
  }

  calmNetwork(): void {
    const { faults } = this.quorum.logs.network;
    Object.assign(faults, { loss: 0, duplication: 0, maxDelayMs: 2 });
  }

  calmNats(): void {
    Object.assign(this.nats.faults, { loss: 0, duplication: 0, lostAcks: 0, lagMs: 0 });
  }

  ask<T>(
    question: (use: ConfigEngine) => Promise<Outcome<T>>,
    done: (answer: Outcome<T> | 'unknown') => void,
  ): void {
    const running = [...this.nodes.values()].filter((node) => node.listens);
    const doubtful = running.filter(({ id }) => this.doubtful.has(id));
    const among = doubtful.length > 0 && this.rng.below(2) === 0 ? doubtful : running;
    const node = among[this.rng.below(Math.max(1, among.length))];
    if (node === undefined) return this.later(200, () => done('unknown'));
    const answer = (outcome: Outcome<T> | 'unknown'): void => this.wire.carry(() => done(outcome));
    const { id } = node;
    this.wire.carry(() => {
      node.process.time.run(() => {
        node.answer(question).then(answer, (error: Error) => this.#failed(id, error));
      });
    });
  }

  /** Starts a node that does not run, on the disk that it has. */
  async start(id: string): Promise<void> {
    const rate = 1 - DRIFT + this.rng.next() * 2 * DRIFT;
    await this.quorum.start([id], { rate });
    const node = new ControlPlaneNode({
      process: this.quorum.process(id),
      installation: INSTALLATION,
      incarnation: this.#newId(id),
      newId: () => this.#newId('routed'),
      wire: this.wire,
      postgres: this.postgres,
      nats: this.nats,
      witness: this.ledger,
      observer: this.#observer(),
      failed: (error) => this.#failed(id, error),
      log: (level, message, fields) => this.#logged(level, message, fields),
      acked: (owner, ack) => this.#staged?.acked(owner, ack),
    });
    this.nodes.set(id, node);
    node.sessions.reached = (what) => this.reached(what);
    if (this.isCalm) node.beforeLost = orderlyHandOver(this, node);
    node.start().catch((error: unknown) => {
      this.reached('a node could not start');
      this.note(`${id} could not start: ${String(error)}`);
      if (this.nodes.get(id) !== node) return;
      this.kill(id);
      this.later(RESTART_MS, () => this.restart(id));
    });
  }

  restart(id: string): void {
    if (!this.nodes.has(id)) void this.start(id);
  }

  /** The process dies. */
  kill(id: string): void {
    const node = this.nodes.get(id);
    if (node === undefined) return;
    this.nodes.delete(id);
    this.ledger.losses.struck(id);
    this.quorum.crash(id);
    node.gone();
  }

  /** It has stopped in order. */
  stopped(node: ControlPlaneNode): void {
    this.nodes.delete(node.id);
    this.quorum.processes.delete(node.id);
    this.quorum.logs.forget(node.id);
    node.gone();
  }

  #consumer(index: number, at: AddressText): SimulatedConsumer {
    const staged = this.#staged;
    return new SimulatedConsumer({
      id: `c${index}`,
      address: at,
      ...(staged === null ? {} : { temper: () => staged.temper(index) }),
      installation: INSTALLATION.name,
      nats: this.nats,
      wire: this.wire,
      ledger: this.ledger,
      judge: this.judge,
      reached: (what) => this.reached(what),
      applied: (consumer, version) => {
        this.reached('applied');
        this.ledger.trace.push(`apply ${consumer.incarnation} ${version}`);
        staged?.consumers.applied(consumer, version);
      },
    });
  }

  #observer(): EngineObserver {
    return {
      written: () => undefined,
      committed: (changesets) => {
        if (changesets > 1) this.reached('a group of commands committed');
      },
      published: () => this.reached('published'),
      applied: () => undefined,
      rejected: () => this.reached('a consumer rejected'),
      incident: (kind) => {
        this.reached(`incident: ${kind}`);
        const isFalse = kind === 'truth-behind' && this.ledger.era === 0;
        this.judge.demand(!isFalse, 'nothing was lost, and PostgreSQL is said to be behind');
      },
    };
  }

  #newId(of: string): string {
    this.#ids += 1;
    return `${of}-${this.#ids}-${this.rng.below(2 ** 32)}`;
  }

  #failed(id: string, error: Error): void {
    this.note(`${id}: ${error.stack}`);
    this.judge.demand(false, `a request fails with an error: ${String(error)}`);
  }

  #logged(level: string, message: string, fields?: object): void {
    if (level === 'debug') return;
    const isRefused = this.isCalm && message.includes('while commands wait to be committed');
    this.judge.demand(!isRefused, 'a hand-over in order refuses no command that waits (§5.1)');
    const at = this.nowMs().toFixed(0);
    this.log.push(
      `${at} ${level} ${message} ${fields === undefined ? '' : JSON.stringify(fields)}`,
    );
  }

  async #step(untilMs?: number): Promise<boolean> {
    const goesOn = await this.quorum.time.step(untilMs);
    this.judge.throwFirst();
    for (const { id, failures } of this.quorum.processes.values()) {
      const [failure] = failures;
      if (failure !== undefined) throw new ViolationError(`${id} failed: ${failure.message}`);
    }
    return goesOn;
  }

  async #until(what: string, holds: () => boolean, withinMs = HEALED_WITHIN_MS): Promise<void> {
    const endMs = this.nowMs() + withinMs;
    while (!holds()) {
      const goesOn = await this.#step(endMs);
      if (!goesOn) throw new ViolationError(`once the faults end there is ${what}`);
    }
  }

  #heat(): void {
    this.hot = this.addresses[this.rng.below(this.addresses.length)] ?? this.hot;
    if (!this.isOver) this.later(HOT_MS, () => this.#heat());
  }

  async #checkReported(): Promise<void> {
    for (const { engine } of this.nodes.values()) {
      await checkReported(engine.use, this.consumers, this.judge);
    }
    const all = Array.from({ length: INSTALLATION.shards }, (_, shard) => shard);
    const { behind } = await this.postgres.tables.readFences(all);
    this.ledger.losses.readOnly([...behind.keys()]);
  }

  #heal(): void {
    const { network, disks } = this.quorum.logs;
    network.heal();
    this.majority = true;
    this.calmNetwork();
    for (const disk of disks.values()) disk.hangs = false;
    this.wire.delays.maxMs = 2;
    this.postgres.resume();
    if (!this.nats.up) this.nats.start();
    this.calmNats();
    for (const { process, connection, sessions } of this.nodes.values()) {
      process.time.resume();
      process.time.drift(1);
      connection.heal();
      Object.assign(sessions.faults, { lostAnswers: 0, cut: false });
      sessions.onStep = () => false;
    }
    for (const consumer of this.consumers) {
      if (!consumer.isRunning) consumer.start();
      consumer.time.resume();
      if (this.isStaged) consumer.connection.heal();
    }
    for (const id of IDS) this.restart(id);
  }

  async #rest(): Promise<void> {
    await this.#until('an owner who serves each shard', () => this.#isServed());
    if (this.#staged !== null) {
      const { closing } = this.#staged;
      closing.start();
      const what = 'no release under way, none to begin, and no pin whose time has passed';
      await this.#until(what, () => closing.isDone, SETTLED_WITHIN_MS);
    }
    await this.#until('nothing left to publish', () => this.#isPublished());
    await this.#until('a consumer of each address that runs it', () =>
      this.consumers.every((consumer) => this.#hasConverged(consumer)),
    );
    await this.#until('a slot for each consumer', () => this.#staged?.isPlaced !== false);
  }

  #isServed(): boolean {
    const nodes = [...this.nodes.values()].filter((node) => node.started);
    if (nodes.length < IDS.length) return false;
    const served = nodes.reduce((sum, { engine }) => sum + engine.status().servedShards, 0);
    return served === INSTALLATION.shards;
  }

  /** What JetStream holds is what PostgreSQL holds. */
  #isPublished(): boolean {
    const pending = [...this.nodes.values()].some(
      ({ engine }) => engine.status().pendingPublications > 0,
    );
    return !pending && this.ledger.addresses.every((at) => this.#published(at));
  }

  #published(at: AddressText): boolean {
    const { head } = this.ledger.of(at);
    if (head === null) return true;
    const held = this.#held(at);
    const { generation, version, hash } = head;
    return held?.generation === generation && held.version === version && held.hash === hash;
  }

  #held(at: AddressText): Snapshot | undefined {
    const parsed = parseAddress(at);
    if (!parsed.ok) return undefined;
    const subject = subjectsOf(INSTALLATION.name).snapshot(parsed.address);
    const message = this.nats.snapshots.newest(subject);
    return message && (JSON.parse(message.data) as Snapshot);
  }

  #hasConverged(consumer: SimulatedConsumer): boolean {
    const { address: at, running, isRunning } = consumer;
    const { head } = this.ledger.of(at);
    if (!isRunning) return false;
    if (head !== null && this.#staged !== null) return this.#staged.hasConverged(consumer, head);
    return (
      head === null ||
      (running?.head.generation === head.generation && running.head.hash === head.hash)
    );
  }
}
