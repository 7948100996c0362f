import { crc32 } from 'node:zlib';
import { assert } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import { isVoter, members as membersOf } from '@pawl/raft/core';
import { checkKvHistory, checkLeases, checkWatches } from '../history/index.js';
import type { HistoryCall, HistoryOutcome, HistoryRequest, Violation } from '../history/index.js';
import { SimulatedQuorum } from '../simulated-quorum.js';
import type { QuorumProcess } from '../simulated-quorum.js';
import { AppliedLog } from './applied-log.js';
import { checkGrace } from './check-grace.js';
import type { Stall } from './check-grace.js';
import { LeaderTime } from './leader-time.js';
import type { LeaderMoment } from './leader-time.js';
import type { World } from './world.js';
import { WorldClient, outcomeOf, perform } from './world-client.js';
import { WorldFaults } from './world-faults.js';
import { WorldHolder } from './world-holder.js';
import { WorldWatcher } from './world-watcher.js';

/** What is not answered for so long is given up: a little more than the store takes itself. */
const CALL_MS = 2_000;
const GIVE_UP_MS = 3_000;
/** Simulated time within which all must be well again once the faults have ended. */
const HEALED_WITHIN_MS = 60_000;
/** How much faster or slower clocks run that nothing is wrong with. */
const DRIFT = 0.05;
/** Of sums of times by leaders' clocks, as a share of the shortest. */
const ROUNDING = 1e-5;
const TRANSFERS = { count: 6, everyMs: 900 };
const OBSERVED_LEASE = { ttlMs: 2_000, latenessMs: 2_500 };
/** Of all nodes that there may be. */
const IDS = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const EVERYTHING = { key: '\0', rangeEnd: '\0' };

export interface WorldReport {
  /** How often each interesting state was reached. */
  readonly reached: Readonly<Record<string, number>>;
  readonly calls: number;
  readonly answered: number;
  readonly unknown: number;
  readonly revisions: number;
  /** Equal for two runs of one seed. */
  readonly trace: number;
}

export type MakeQuorum = (
  ...options: ConstructorParameters<typeof SimulatedQuorum>
) => SimulatedQuorum;

/**
 * One seed's world: nodes of a quorum on simulated time, network and disks, clients, watchers and
 * holders of leases beside it, and faults. After a number of events the faults end, the cluster must
 * come to rest (V1 to V6), and what everybody saw is judged.
 */
export class QuorumWorld implements World {
  readonly quorum: SimulatedQuorum;
  readonly rng: Rng;
  readonly applied: AppliedLog;
  readonly held: World['held'] = [];
  preferred: QuorumProcess | null = null;
  readonly #founders: readonly string[];
  readonly #calls: HistoryCall[] = [];
  readonly #watchers: WorldWatcher[] = [];
  readonly #reached = new Map<string, number>();
  readonly #leaderTime: LeaderTime;
  readonly #stalls: Stall[] = [];
  #compacted = 0;
  #stamp = 0;
  #values = 0;
  #isOver = false;

  constructor(seed: number, makeQuorum: MakeQuorum = (options) => new SimulatedQuorum(options)) {
    this.#founders = IDS.slice(0, seed % 4 === 0 ? 5 : 3);
    this.applied = new AppliedLog(() => this.leaderTime());
    this.quorum = makeQuorum({
      seed,
      founders: this.#founders,
      startList: IDS,
      log: { snapshotEntries: 40, diskMs: 4, tickMs: 50, electionTicks: 8, heartbeatTicks: 2 },
      settings: { callTimeoutMs: CALL_MS, compaction: { mode: 'off' } },
      wrap: (id, machine, stateOf) => this.applied.follow(id, machine, stateOf),
    });
    this.rng = this.quorum.logs.rng;
    this.#leaderTime = new LeaderTime(this.quorum.logs.processes);
    this.quorum.logs.onReached = (what) => this.reached(what);
  }

  /** Throws at the first broken invariant. */
  async run(events: number): Promise<WorldReport> {
    for (const id of this.#founders) await this.#start(id);
    for (const name of ['p', 'q', 'r', 's', 't', 'u', 'v', 'w'])
      new WorldClient(this, name).start();
    this.#watch('all', EVERYTHING);
    this.#watch('some', { key: 'b', rangeEnd: 'e' });
    this.#watch('one', { key: 'a' });
    for (const name of ['h', 'i', 'j']) new WorldHolder(this, name).start();
    new WorldFaults(this, this.#founders).start();
    for (let event = 0; event < events; event += 1) {
      await this.quorum.time.step();
      this.#look();
    }
    this.#isOver = true;
    await this.#heal();
    await this.#replaceLeaders();
    await this.#rest();
    return this.#judge();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  nowMs(): number {
    return this.quorum.time.monotonicMs();
  }

  leaderTime(): LeaderMoment {
    return this.#leaderTime.now();
  }

  stalled(kind: Stall['kind']): void {
    this.#stalls.push({ kind, at: this.leaderTime() });
  }

  setRight(process: QuorumProcess): void {
    process.time.drift(this.#rate());
  }

  later(delayMs: number, task: () => void): void {
    this.quorum.time.after(delayMs, task);
  }

  newValue(): string {
    this.#values += 1;
    return `v${this.#values}`;
  }

  reached(what: string): void {
    this.#reached.set(what, (this.#reached.get(what) ?? 0) + 1);
  }

  isRunning(process: QuorumProcess): boolean {
    return this.quorum.processes.get(process.id) === process;
  }

  pickProcess(): QuorumProcess | null {
    const { preferred } = this;
    if (preferred !== null && this.isRunning(preferred) && this.rng.below(4) > 0) return preferred;
    const running = [...this.quorum.processes.values()];
    return running[this.rng.below(Math.max(1, running.length))] ?? null;
  }

  leader(): QuorumProcess | null {
    const id = this.quorum.logs.leader();
    return id === null ? null : (this.quorum.processes.get(id) ?? null);
  }

  spareIds(members: readonly string[]): string[] {
    const used = [...members, ...this.quorum.processes.keys()];
    return IDS.filter((id) => !used.includes(id));
  }

  calmNetwork(): void {
    Object.assign(this.quorum.logs.network.faults, { loss: 0, duplication: 0, maxDelayMs: 2 });
  }

  restart(id: string): void {
    if (!this.quorum.processes.has(id)) void this.#start(id);
  }

  takeAway(id: string): void {
    if (this.quorum.processes.has(id)) this.quorum.crash(id);
    this.quorum.logs.wipe(id);
  }

  ask<T>(
    question: (process: QuorumProcess) => Promise<T>,
    done: (answer: T | 'failed' | 'unknown') => void,
    through?: QuorumProcess,
  ): void {
    const process = through ?? this.pickProcess();
    let over = false;
    const settle = (answer: T | 'failed' | 'unknown'): void => {
      if (over) return;
      over = true;
      done(answer);
    };
    if (process === null) return this.later(100, () => settle('failed'));
    this.later(GIVE_UP_MS, () => settle('unknown'));
    process.time.run(() => {
      question(process).then(settle, (error: unknown) => settle(outcomeOf(error)));
    });
  }

  call(client: string, request: HistoryRequest, done: () => void): void {
    const id = this.#calls.length;
    const calledAt = this.#next();
    if (request.kind === 'compact') this.#compacted = Math.max(this.#compacted, request.revision);
    this.#calls.push({ id, client, request, calledAt, returnedAt: Infinity, outcome: UNKNOWN });
    this.ask(
      ({ node }) => perform(node, request),
      (answer) => {
        const outcome: HistoryOutcome = typeof answer === 'string' ? { kind: answer } : answer;
        this.reached(`call: ${outcome.kind}`);
        this.#calls[id] = { id, client, request, calledAt, returnedAt: this.#next(), outcome };
        done();
      },
    );
  }

  #next(): number {
    this.#stamp += 1;
    return this.#stamp;
  }

  #watch(name: string, range: { readonly key: string; readonly rangeEnd?: string }): void {
    const watcher = new WorldWatcher(this, name, range);
    this.#watchers.push(watcher);
    watcher.start();
  }

  async #start(id: string): Promise<void> {
    await this.quorum.start([id], { rate: this.#rate() });
  }

  #rate(): number {
    return 1 - DRIFT + this.rng.next() * 2 * DRIFT;
  }

  #look(): void {
    this.#leaderTime.now();
    this.#bury();
  }

  /** Nodes stop by themselves when they were removed, and for no other reason. */
  #bury(): void {
    for (const { id, failures } of [...this.quorum.processes.values()]) {
      const [failure] = failures;
      if (failure === undefined) continue;
      assert(failure.message.includes('was removed'), `${id} failed: ${failure.message}`);
      this.reached('removed node stopped');
      this.quorum.crash(id);
    }
  }

  async #heal(): Promise<void> {
    const { logs, processes } = this.quorum;
    logs.network.heal();
    this.calmNetwork();
    for (const disk of logs.disks.values()) disk.hangs = false;
    for (const process of processes.values()) {
      process.time.resume();
      this.setRight(process);
    }
    for (const id of [...logs.disks.keys()]) if (!processes.has(id)) await this.#start(id);
    await this.#until('a leader', () => this.leader() !== null);
  }

  /** Leaders follow each other while a lease that nobody renews runs out (L2, for each of them). */
  async #replaceLeaders(): Promise<void> {
    const { ttlMs, latenessMs } = OBSERVED_LEASE;
    const granted = await this.#answered(({ node }) =>
      node.grantLease(ttlMs, 0n, { origin: 'user' }),
    );
    assert(granted.ok, 'a lease is granted once all is well');
    const untilMs = this.nowMs() + ttlMs + latenessMs;
    for (let left = TRANSFERS.count; left > 0; left -= 1) {
      const leader = this.leader();
      const heir = leader === null ? undefined : this.#heirOf(leader);
      if (leader !== null && heir !== undefined) void leader.node.transferLeadership(heir);
      await this.#advance(TRANSFERS.everyMs);
    }
    await this.#advance(Math.max(0, untilMs - this.nowMs()));
    const lives = [...this.quorum.processes.values()].filter(
      ({ host }) => host.state.lease(granted.id) !== null,
    );
    assert(lives.length === 0, `a lease of ${ttlMs} ms ends though leaders change (L2)`);
  }

  async #advance(ms: number): Promise<void> {
    const endMs = this.nowMs() + ms;
    while (await this.quorum.time.step(endMs)) this.#look();
    await this.quorum.time.advance(endMs - this.nowMs());
  }

  #heirOf(leader: QuorumProcess): bigint | undefined {
    const { configuration } = leader.host.log.status();
    const heirs = leader.host.changes
      .list()
      .filter(({ id }) => id !== leader.id && isVoter(configuration, id));
    return heirs[this.rng.below(Math.max(1, heirs.length))]?.number;
  }

  /** Everybody who belongs to the cluster agrees on everything, watchers too (V1 to V6). */
  async #rest(): Promise<void> {
    await this.#answered(({ node }) => node.txn({ compare: [], success: [], failure: [] }));
    await this.#until('calls that are over', () => this.#calls.every(isOver));
    await this.#until('agreement', () => this.#agree());
    const revision = this.#rested().host.state.revision;
    await this.#until('watchers that caught up', () =>
      this.#watchers.every((watcher) => watcher.isAt(revision)),
    );
    for (const watcher of this.#watchers) watcher.finish(revision);
    const states = this.#members().map(({ host }) => host.state);
    const at = Math.min(...states.map((state) => state.revision));
    const compacted = Math.max(...states.map((state) => state.compactRevision));
    const hashes = new Set<number>();
    for (const state of states) {
      const hash = state.hashKv(at, compacted);
      assert(!('refusal' in hash), 'a state that is kept has a hash');
      hashes.add(hash.hash);
    }
    assert(hashes.size === 1, 'members at one revision have one hash (A6)');
  }

  #rested(): QuorumProcess {
    const leader = this.leader();
    assert(leader !== null, 'a cluster at rest has a leader');
    return leader;
  }

  #members(): QuorumProcess[] {
    const { configuration } = this.#rested().host.log.status();
    const ids = membersOf(configuration);
    return [...this.quorum.processes.values()].filter(({ id }) => ids.includes(id));
  }

  #agree(): boolean {
    const leader = this.leader();
    if (leader === null) return false;
    const { configuration, commitIndex } = leader.host.log.status();
    const ids = membersOf(configuration);
    for (const id of ids) this.restart(id);
    if (configuration.outgoing.length > 0) return false;
    const { voters, learners } = configuration;
    const settled = leader.host.state.members.every(({ id, wanted }) =>
      wanted === 'removed' ? false : (wanted === 'voter' ? voters : learners).includes(id),
    );
    if (!settled) return false;
    for (const id of this.quorum.processes.keys()) if (!ids.includes(id)) this.takeAway(id);
    const running = this.#members();
    if (running.length < ids.length) return false;
    return running.every(({ host }) => host.log.status().appliedIndex >= commitIndex);
  }

  async #answered<T>(question: (process: QuorumProcess) => Promise<T>): Promise<T> {
    for (let left = 20; left > 0; left -= 1) {
      let answer: T | 'failed' | 'unknown' | null = null;
      this.ask(question, (given) => {
        answer = given;
      });
      await this.#until('an answer', () => answer !== null);
      if (answer !== 'failed' && answer !== 'unknown') return answer as T;
    }
    throw new Error('nobody answers though all is well (V2)');
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const endMs = this.nowMs() + HEALED_WITHIN_MS;
    while (!holds()) {
      const goesOn = await this.quorum.time.step(endMs);
      assert(goesOn, `once the faults end there is ${what} (V1 to V6)`);
      this.#look();
    }
  }

  #judge(): WorldReport {
    const { written } = this.applied;
    const calls = this.#calls;
    const kv = checkKvHistory({ calls, written });
    const watches = this.#watchers.flatMap(({ records }) => records);
    const leases = this.held.map((lease) => lease.life());
    const violations: Violation[] = [
      ...kv.violations,
      ...checkWatches({ watches, written, compacted: this.#compacted }),
      ...checkLeases(leases, { fasterBy: 1 + ROUNDING, latenessMs: Infinity }),
      ...this.#checkGraces(),
    ];
    const [first] = violations;
    assert(first === undefined, `${first?.rule}: ${first?.text} (of ${violations.length})`);
    const { answered, unknown, revisions } = kv;
    const seen = JSON.stringify([calls, watches, leases, [...this.#reached]]);
    const reached = Object.fromEntries(this.#reached);
    return { reached, calls: calls.length, answered, unknown, revisions, trace: crc32(seen) };
  }

  #checkGraces(): Violation[] {
    return this.held.flatMap((lease) => {
      const end = lease.end();
      const found = end === null ? null : checkGrace(end, this.#stalls);
      if (found === 'kept') this.reached('lease outlived a jump of a clock');
      return found === null || found === 'kept' ? [] : [found];
    });
  }
}

const UNKNOWN: HistoryOutcome = { kind: 'unknown' };

function isOver({ returnedAt }: HistoryCall): boolean {
  return returnedAt < Infinity;
}
