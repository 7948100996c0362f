import { assert } from '@pawl/kernel';
import type { Rng, TimerHandle } from '@pawl/kernel';
import { RaftCore, foundingState, isAnswer, isVoter } from '@pawl/raft/core';
import type {
  ConfigurationChange,
  DurableState,
  Message,
  RaftConfig,
  Ready,
  SnapshotMark,
} from '@pawl/raft/core';
import type {
  LogEvents,
  LogMachine,
  LogOutcome,
  LogPeer,
  LogStatus,
  ReplicatedLog,
} from '../quorum/replicated-log.port.js';
import type { Letter, NetworkNode, SimulatedNetwork } from './simulated-network.js';
import type { ProcessTime } from './simulated-time.js';

/** What a node's disk holds; it outlives the process. */
export interface SimulatedDisk {
  readonly clusterId: string;
  readonly folderId: string;
  durable: DurableState;
  /** The state machine's state as of the snapshot; null before the first. */
  state: Uint8Array | null;
  /** Reads that were asked for by any process of this node. */
  reads: number;
  /** Written no more while it is set. */
  hangs: boolean;
}

/** `founders` empty: the node joins, and waits until it is fed. */
export function emptyDisk(
  clusterId: string,
  folderId: string,
  founders: readonly string[],
): SimulatedDisk {
  const durable = foundingState(founders);
  return { clusterId, folderId, durable, state: null, reads: 0, hangs: false };
}

export interface SimulatedLogSettings {
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  /** Of one write, by chance up to this. */
  readonly diskMs: number;
  /** Applied entries after which a snapshot is taken. */
  readonly snapshotEntries: number;
  readonly maxUncommittedBytes: number;
  /** Entries by which a learner may lag that becomes a voter. */
  readonly catchUpEntries: number;
}

export const SIMULATED_LOG_SETTINGS: SimulatedLogSettings = {
  tickMs: 50,
  heartbeatTicks: 2,
  electionTicks: 10,
  diskMs: 1,
  snapshotEntries: 1000,
  maxUncommittedBytes: 16 * 1024 * 1024,
  catchUpEntries: 10,
};

export interface SimulatedLogOptions {
  readonly nodeId: string;
  readonly network: SimulatedNetwork;
  readonly disk: SimulatedDisk;
  readonly time: ProcessTime;
  readonly rng: Rng;
  readonly machine: LogMachine;
  readonly events: LogEvents;
  readonly settings?: Partial<SimulatedLogSettings>;
}

interface Barrier {
  /** Of the read that was asked for last; the index it has to wait for, once that is known. */
  id: number;
  index: number | null;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timeout: TimerHandle;
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
  readonly #barriers = new Set<Barrier>();
  #peers: ReadonlyMap<string, LogPeer> = new Map();
  #outstanding: Ready | null = null;
  #applied: number;
  #lastStatus = '';
  #ticks = 0;
  #state: 'open' | 'stopping' | 'stopped' = 'open';

  constructor(options: SimulatedLogOptions) {
    const { nodeId, disk, network, rng, machine } = options;
    this.#options = options;
    this.#settings = { ...SIMULATED_LOG_SETTINGS, ...options.settings };
    this.identity = { clusterId: disk.clusterId, nodeId, folderId: disk.folderId };
    if (disk.state !== null) restore(machine, disk.state);
    this.#applied = disk.durable.snapshot.index;
    this.#core = new RaftCore(coreConfig(nodeId, this.#settings, rng), disk.durable);
    network.attach(nodeId, this);
    if (this.status().configuration.voters.join() === nodeId) this.#core.campaign();
    this.#tickLater();
    this.#soon(() => this.#pump());
  }

  status(): LogStatus {
    const { role, leader, term, commit, last, configuration } = this.#core.status;
    return {
      nodeId: this.#options.nodeId,
      role,
      leader: this.#state === 'open' ? leader : null,
      term,
      commitIndex: commit,
      appliedIndex: this.#applied,
      lastIndex: last,
      snapshotIndex: this.#options.disk.durable.snapshot.index,
      configuration,
    };
  }

  propose(command: Uint8Array): LogOutcome {
    if (this.#state !== 'open') return { ok: false, reason: 'stopped' };
    const outcome = this.#core.propose(command);
    this.#soon(() => this.#pump());
    return outcome;
  }

  change(change: ConfigurationChange): LogOutcome {
    if (this.#state !== 'open') return { ok: false, reason: 'stopped' };
    const outcome = this.#core.change(change);
    this.#soon(() => this.#pump());
    return outcome;
  }

  barrier(deadlineMs: number): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(new Error('the log is stopped'));
    return new Promise((resolve, reject) => {
      const timeout = this.#options.time.after(deadlineMs, () => {
        this.#barriers.delete(barrier);
        reject(new Error('no quorum answered in time'));
      });
      const barrier: Barrier = { id: 0, index: null, resolve, reject, timeout };
      this.#barriers.add(barrier);
      this.#ask(barrier);
      this.#soon(() => this.#pump());
    });
  }

  transfer(to: string): boolean {
    const begun = this.#core.transfer(to);
    this.#soon(() => this.#pump());
    return begun;
  }

  setPeers(peers: readonly LogPeer[]): void {
    this.#peers = new Map(peers.map((peer) => [peer.id, peer]));
  }

  request(to: string, body: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    if (!this.#peers.has(to)) return Promise.reject(new Error(`${to} is no peer`));
    return this.#request(this.#options.disk.folderId, to, body, deadlineMs);
  }

  /** A simulated node listens at its id. */
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
    for (const barrier of this.#barriers) {
      barrier.timeout.cancel();
      barrier.reject(new Error('the log was stopped'));
    }
    this.#barriers.clear();
    network.attach(nodeId, null);
    time.end();
  }

  /** The process dies; of the write that was under way all is there, or nothing. */
  crash(): void {
    const { nodeId, network, time, rng } = this.#options;
    if (this.#outstanding !== null && rng.below(2) === 0) this.#write(this.#outstanding);
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
      this.#pump();
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
      const { leader } = this.#core.status;
      const again = this.#ticks % this.#settings.electionTicks === 0;
      for (const barrier of this.#barriers) {
        if (barrier.index === null && (again || barrier.id === 0) && leader !== null) {
          this.#ask(barrier);
        }
      }
      this.#pump();
      this.#tickLater();
    });
  }

  /** Asks for a read; one that nobody can take, or that is lost, is asked for again with a tick. */
  #ask(barrier: Barrier): void {
    this.#options.disk.reads += 1;
    barrier.id = this.#core.read(this.#options.disk.reads) ? this.#options.disk.reads : 0;
  }

  #soon(event: () => void): void {
    this.#options.time.after(0, event);
  }

  #pump(): void {
    this.#send(this.#core.messages());
    this.#takeReady();
    this.#tellStatus();
  }

  #takeReady(): void {
    if (this.#outstanding !== null || !this.#core.hasReady) return;
    const ready = this.#core.ready();
    this.#outstanding = ready;
    const delayMs = ready.mustSync ? this.#options.rng.next() * this.#settings.diskMs : 0;
    const finish = (): void => {
      if (this.#options.disk.hangs && ready.mustSync) {
        this.#options.time.after(this.#settings.tickMs, finish);
      } else {
        this.#finish(ready);
      }
    };
    this.#options.time.after(delayMs, finish);
  }

  #finish(ready: Ready): void {
    this.#write(ready);
    const { machine, disk } = this.#options;
    if (ready.snapshot !== null) {
      assert(disk.state !== null, 'a snapshot has its state');
      restore(machine, disk.state);
      this.#applied = ready.snapshot.index;
    }
    for (const { index, term, kind, data } of ready.committedEntries) {
      if (kind === 'command') machine.apply(data, { index, term });
      this.#applied = index;
    }
    for (const { id, index } of ready.reads) this.#confirm(id, index);
    this.#outstanding = null;
    this.#core.advance();
    this.#send(ready.messages);
    this.#answerBarriers();
    this.#considerSnapshot();
    this.#pump();
  }

  #write(ready: Ready): void {
    const { disk } = this.#options;
    const { durable } = disk;
    const snapshot = ready.snapshot ?? durable.snapshot;
    const base = ready.snapshot === null ? durable.entries : [];
    const first = ready.entries[0]?.index ?? Infinity;
    const kept = base.filter((entry) => entry.index > snapshot.index && entry.index < first);
    if (ready.snapshot !== null) {
      const state = this.#arriving.get(keyOf(ready.snapshot));
      assert(state !== undefined, 'the state arrived before the message');
      disk.state = state;
      this.#arriving.delete(keyOf(ready.snapshot));
    }
    const hardState = ready.hardState ?? durable.hardState;
    disk.durable = { hardState, snapshot, entries: [...kept, ...ready.entries] };
  }

  #confirm(id: number, index: number): void {
    for (const barrier of this.#barriers) if (barrier.id === id) barrier.index = index;
  }

  #answerBarriers(): void {
    for (const barrier of this.#barriers) {
      if (barrier.index === null || barrier.index > this.#applied) continue;
      this.#barriers.delete(barrier);
      barrier.timeout.cancel();
      barrier.resolve();
    }
  }

  #considerSnapshot(): void {
    const { disk, machine } = this.#options;
    const { snapshot, entries, hardState } = disk.durable;
    if (this.#applied - snapshot.index < this.#settings.snapshotEntries) return;
    if (this.#core.status.applied !== this.#applied) return;
    const mark = this.#core.markAt(this.#applied);
    const left = entries.filter(({ index }) => index > mark.index);
    disk.state = joined([...machine.snapshot()]);
    disk.durable = { hardState, snapshot: mark, entries: left };
    this.#core.compact(mark.index);
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
    const status = this.status();
    const { role, leader, term, appliedIndex, configuration } = status;
    const text = JSON.stringify([role, leader, term, appliedIndex, configuration]);
    if (text === this.#lastStatus) return;
    this.#lastStatus = text;
    this.#options.events.onStatus(status);
  }
}

function coreConfig(id: string, settings: SimulatedLogSettings, rng: Rng): RaftConfig {
  const { heartbeatTicks, electionTicks, maxUncommittedBytes, catchUpEntries } = settings;
  return {
    id,
    heartbeatTicks,
    electionTicks,
    maxUncommittedBytes,
    maxApplyBytes: 1024 * 1024,
    maxMessageBytes: 1024 * 1024,
    maxInflightMessages: 64,
    maxInflightBytes: 16 * 1024 * 1024,
    maxReads: 10_000,
    catchUpEntries,
    rng,
  };
}

function keyOf({ index, term }: SnapshotMark): string {
  return `${index}/${term}`;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function restore(machine: LogMachine, state: Uint8Array): void {
  const steps = machine.restore(state)[Symbol.iterator]();
  while (steps.next().done !== true);
}
