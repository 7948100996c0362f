import { assert } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import { RaftCore, isAnswer, isVoter } from '@pawl/raft/core';
import type { ConfigurationChange, Message, Ready, SnapshotMark } from '@pawl/raft/core';
import type {
  LogEvents,
  LogMachine,
  LogOutcome,
  LogPeer,
  LogStatus,
  ReplicatedLog,
} from '../quorum/replicated-log.port.js';
import { SimulatedBarriers } from './simulated-barriers.js';
import { writeReady, writeSnapshot } from './simulated-disk.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { SIMULATED_LOG_SETTINGS, coreConfig } from './simulated-log-settings.js';
import type { SimulatedLogSettings } from './simulated-log-settings.js';
import { SimulatedMachine } from './simulated-machine.js';
import type { TakenSnapshot } from './simulated-machine.js';
import type { Letter, NetworkNode, SimulatedNetwork } from './simulated-network.js';
import type { ProcessTime } from './process-time.js';

export interface SimulatedLogOptions {
  readonly nodeId: string;
  readonly network: SimulatedNetwork;
  readonly disk: SimulatedDisk;
  readonly time: ProcessTime;
  readonly rng: Rng;
  readonly machine: LogMachine;
  readonly events: LogEvents;
  readonly settings?: Partial<SimulatedLogSettings>;
  /** Told that an interesting state was reached. */
  readonly reached?: (what: string) => void;
}

/** Of so many turns of the process one takes its time, by chance up to this. */
const SLOW_TURN = 4;
const SLOW_TURN_MS = 5;

/** What the core wants done; written, and given to the state machine and the readers. */
interface Work {
  readonly ready: Ready;
  written: boolean;
  given: boolean;
}

/**
 * A replicated log in memory: the real consensus core over a simulated network and disk. Everything
 * that happens is a timer's callback, so that the test's time and chance decide it all.
 */
export class SimulatedLog implements ReplicatedLog, NetworkNode {
  readonly identity: ReplicatedLog['identity'];
  readonly #options: SimulatedLogOptions;
  readonly #settings: SimulatedLogSettings;
  readonly #core: RaftCore;
  readonly #arriving = new Map<string, Uint8Array>();
  readonly #barriers: SimulatedBarriers;
  #peers: ReadonlyMap<string, LogPeer> = new Map();
  readonly #machine: SimulatedMachine;
  #work: Work | null = null;
  /** What is done now is told when all of it is. */
  #busy = false;
  /** Taken, and not yet noted on the disk. */
  #snapshot: TakenSnapshot | null = null;
  #told: LogStatus | null = null;
  #ticks = 0;
  #woken = false;
  #state: 'open' | 'stopping' | 'stopped' = 'open';

  constructor(options: SimulatedLogOptions) {
    const { nodeId, disk, network, rng, machine } = options;
    this.#options = options;
    this.#barriers = new SimulatedBarriers(options.time, () => this.#read());
    this.#settings = { ...SIMULATED_LOG_SETTINGS, ...options.settings };
    this.identity = { clusterId: disk.clusterId, nodeId, folderId: disk.folderId };
    const onApplied = (): void => {
      this.#core.applied(this.#machine.applied);
      this.#barriers.applied(this.#machine.applied);
      if (this.#busy) return;
      this.#tellStatus();
      this.#wake();
    };
    this.#machine = new SimulatedMachine({ machine, time: options.time, rng, onApplied });
    this.#machine.begin(disk.durable.snapshot.index, disk.state);
    this.#core = new RaftCore(coreConfig(nodeId, this.#settings, rng), disk.durable);
    network.attach(nodeId, this);
    if (this.status().configuration.voters.join() === nodeId) this.#core.campaign();
    this.#tickLater();
    this.#wake();
  }

  status(): LogStatus {
    const { role, leader, term, commit, last, configuration } = this.#core.status;
    return {
      nodeId: this.#options.nodeId,
      role,
      leader: this.#state === 'open' ? leader : null,
      term,
      commitIndex: commit,
      appliedIndex: this.#machine.applied,
      lastIndex: last,
      snapshotIndex: this.#options.disk.durable.snapshot.index,
      configuration,
    };
  }

  /** Whether it leads, as far as it knows itself. */
  get leads(): boolean {
    return this.#core.leading !== null;
  }

  propose(command: Uint8Array): LogOutcome {
    return this.#offer(() => this.#core.propose(command));
  }

  change(change: ConfigurationChange): LogOutcome {
    return this.#offer(() => this.#core.change(change));
  }

  barrier(deadlineMs: number): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(new Error('the log is stopped'));
    const passed = this.#barriers.pass(deadlineMs);
    this.#wake();
    return passed;
  }

  transfer(to: string): boolean {
    const begun = this.#core.transfer(to);
    this.#wake();
    return begun;
  }

  setPeers(peers: readonly LogPeer[]): void {
    this.#peers = new Map(peers.map((peer) => [peer.id, peer]));
  }

  request(to: string, body: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    if (!this.#peers.has(to)) return Promise.reject(new Error(`${to} is no peer`));
    return this.#request(this.#options.disk.folderId, to, body, deadlineMs);
  }

  ask({ host }: LogPeer, body: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    return this.#request(null, host, body, deadlineMs);
  }

  #request(
    folderId: string | null,
    to: string,
    body: Uint8Array,
    deadlineMs: number,
  ): Promise<Uint8Array> {
    const { network, nodeId, time } = this.#options;
    if (this.#state !== 'open') return Promise.reject(new Error('the log is stopped'));
    return new Promise((resolve, reject) => {
      const timeout = time.after(deadlineMs, () => reject(new Error(`${to} does not answer`)));
      network.request({ id: nodeId, folderId }, to, body).then(
        (answer) => time.run(() => done(() => resolve(answer))),
        (error: Error) => time.run(() => done(() => reject(error))),
      );
      const done = (settle: () => void): void => {
        timeout.cancel();
        settle();
      };
    });
  }

  progress(): ReadonlyMap<string, { readonly match: number; readonly active: boolean }> {
    return this.#core.leading?.progress ?? new Map<string, never>();
  }

  /** Hands leadership over within an election time, if there is somebody to take it. */
  async stop(): Promise<void> {
    if (this.#state !== 'open') return;
    const { nodeId, network, time } = this.#options;
    const { configuration } = this.#core.status;
    const heir = [...this.progress()]
      .filter(([id, { active }]) => active && isVoter(configuration, id))
      .sort(([, a], [, b]) => b.match - a.match)[0]?.[0];
    if (heir !== undefined) this.transfer(heir);
    this.#state = 'stopping';
    for (let left = this.#settings.electionTicks; heir !== undefined && left > 0; left -= 1) {
      if (this.#core.status.role !== 'leader') break;
      await new Promise<void>((resolve) => time.after(this.#settings.tickMs, resolve));
    }
    this.#state = 'stopped';
    this.#barriers.rejectAll(new Error('the log was stopped'));
    network.attach(nodeId, null);
    time.end();
  }

  /** The process dies; of the write that was under way all is there, or nothing. */
  crash(): void {
    const { nodeId, network, time, rng } = this.#options;
    if (this.#work?.written === false && rng.below(2) === 0) this.#write(this.#work);
    this.#state = 'stopped';
    network.attach(nodeId, null);
    time.end();
  }

  receive({ message, folderId, state }: Letter): void {
    this.#options.time.run(() => {
      if (!this.#knows(message.from, folderId)) return;
      if (this.#peers.get(message.from)?.hearsay === true && isAnswer(message)) return;
      if (message.type === 'snapshot' && state !== null) {
        this.#arriving.set(keyOf(message.snapshot), state);
      }
      this.#core.step(message);
      this.#wake();
    });
  }

  snapshotEnded(to: string, delivered: boolean): void {
    this.#options.time.run(() => {
      this.#core.snapshotEnded(to, delivered);
      this.#pump();
    });
  }

  serve(from: { id: string; folderId: string } | null, body: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#options.time.run(() => {
        if (from !== null && !this.#knows(from.id, from.folderId)) return;
        this.#options.events.onRequest(from?.id ?? null, body).then(resolve, reject);
      });
    });
  }

  /** A second folder of one id is another node, whatever it says. */
  #knows(id: string, folderId: string): boolean {
    return this.#peers.has(id) && (this.#peers.get(id)?.folderId ?? folderId) === folderId;
  }

  #tickLater(): void {
    this.#options.time.after(this.#settings.tickMs, () => {
      this.#core.tick();
      this.#ticks += 1;
      const lost = this.#ticks % this.#settings.electionTicks === 0;
      if (this.#core.status.leader !== null) this.#barriers.askAgain(lost);
      this.#pump();
      this.#tickLater();
    });
  }

  /** The id of a read that the core takes, or 0: then it is asked for again with a tick. */
  #read(): number {
    this.#options.disk.reads += 1;
    return this.#core.read(this.#options.disk.reads) ? this.#options.disk.reads : 0;
  }

  #offer(offer: () => LogOutcome): LogOutcome {
    if (this.#state !== 'open') return { ok: false, reason: 'stopped' };
    const outcome = offer();
    this.#wake();
    return outcome;
  }

  /** What arrives in one turn of the process is worked on together; a turn may take its time. */
  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    const { rng, time } = this.#options;
    time.after(rng.below(SLOW_TURN) === 0 ? rng.next() * SLOW_TURN_MS : 0, () => {
      this.#woken = false;
      this.#pump();
    });
  }

  #pump(): void {
    this.#busy = true;
    this.#send(this.#core.messages());
    if (this.#options.rng.below(2) === 0) this.#goAhead();
    this.#noteSnapshot();
    if (this.#work === null) this.#takeSnapshot();
    this.#takeReady();
    this.#busy = false;
    this.#tellStatus();
  }

  /** What need not wait for the write that is under way: what was taken with it, and came since. */
  #goAhead(): void {
    const further = this.#core.further();
    if (this.#work?.ready.snapshot === null) this.#give(this.#work);
    if (this.#work?.written === false && further.committedEntries.length > 0) {
      this.#options.reached?.('applied during a write');
    }
    this.#do(further);
  }

  #takeReady(): void {
    if (this.#work !== null || !this.#core.hasReady) return;
    const ready = this.#core.ready();
    const work = { ready, written: false, given: false };
    this.#work = work;
    const delayMs = ready.mustSync ? this.#options.rng.next() * this.#settings.diskMs : 0;
    const finish = (): void => {
      if (this.#options.disk.hangs && ready.mustSync) {
        this.#options.time.after(this.#settings.tickMs, finish);
      } else {
        this.#finish(work);
      }
    };
    this.#options.time.after(delayMs, finish);
  }

  #finish(work: Work): void {
    const { snapshot } = work.ready;
    if (snapshot !== null) {
      this.#machine.idle(() => this.#install(work, snapshot));
      return;
    }
    this.#write(work);
    this.#complete(work);
  }

  #install(work: Work, mark: SnapshotMark): void {
    this.#write(work);
    const { state } = this.#options.disk;
    assert(state !== null, 'a snapshot has its state');
    if (this.#machine.takes) this.#options.reached?.('snapshot given up for a newer one');
    this.#snapshot = null;
    this.#machine.restore(mark.index, state, () => this.#complete(work));
  }

  /** What is still being applied holds up nothing. */
  #complete(work: Work): void {
    this.#busy = true;
    this.#give(work);
    this.#work = null;
    this.#core.advance();
    this.#send(work.ready.messages);
    this.#pump();
  }

  #give(work: Work): void {
    if (!work.given) this.#do(work.ready);
    work.given = true;
  }

  #do({ committedEntries, reads }: Pick<Ready, 'committedEntries' | 'reads'>): void {
    for (const read of reads) this.#barriers.confirmed(read);
    this.#machine.apply(committedEntries);
    this.#barriers.applied(this.#machine.applied);
  }

  #write(work: Work): void {
    const { snapshot } = work.ready;
    const state = snapshot === null ? null : (this.#arriving.get(keyOf(snapshot)) ?? null);
    writeReady(this.#options.disk, work.ready, state);
    if (snapshot !== null) this.#arriving.delete(keyOf(snapshot));
    work.written = true;
  }

  /** Begins to take a snapshot when one is due. */
  #takeSnapshot(): void {
    const { applied, takes } = this.#machine;
    const { snapshot } = this.#options.disk.durable;
    const isDue = applied - snapshot.index >= this.#settings.snapshotEntries;
    if (!isDue || takes || this.#snapshot !== null) return;
    const mark = this.#core.markAt(applied);
    /* Nobody votes as of an entry before the first that says who does: no label for a snapshot. */
    if (mark.configuration.voters.length === 0) return;
    this.#machine.take(mark, (taken) => {
      if (this.#machine.applied > mark.index) this.#options.reached?.('applied during a snapshot');
      this.#snapshot = taken;
      this.#pump();
    });
  }

  #noteSnapshot(): void {
    const snapshot = this.#snapshot;
    if (snapshot === null || this.#work !== null) return;
    this.#snapshot = null;
    writeSnapshot(this.#options.disk, snapshot.mark, snapshot.state);
    this.#core.compact(snapshot.mark.index);
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (!this.#peers.has(message.to)) continue;
      const state = message.type === 'snapshot' ? this.#options.disk.state : null;
      const { folderId } = this.#options.disk;
      this.#options.network.send({ message, folderId, state });
    }
  }

  #tellStatus(): void {
    const [before, now] = [this.#told, this.status()];
    const same =
      before?.role === now.role &&
      before.leader === now.leader &&
      before.term === now.term &&
      before.appliedIndex === now.appliedIndex &&
      before.configuration === now.configuration;
    if (same) return;
    this.#told = now;
    this.#options.events.onStatus(now);
  }
}

function keyOf({ index, term }: SnapshotMark): string {
  return `${index}/${term}`;
}
