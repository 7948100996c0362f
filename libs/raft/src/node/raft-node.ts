import { assert } from '@pawl/kernel';
import { isAnswer, isOnlyVoter } from '../core/index.js';
import type { ConfigurationChange, Message } from '../core/index.js';
import type { LogTransport } from './log-transport.port.js';
import { NodeStoppedError } from './node-errors.js';
import { RaftLoop } from './raft-loop.js';
import type { LogOutcome, LogRefusal, LogStatus, RaftNodeOptions } from './raft-node-options.js';
import { DEFAULT_RAFT_SETTINGS, ticksOf } from './raft-settings.js';
import type { RaftSettings } from './raft-settings.js';
import { openStorage } from './raft-storage.js';
import type { FoundLog, OpenStorage } from './raft-storage.js';
import { restoreInTurns } from './restore-in-turns.js';
import { Ticker } from './ticker.js';
import { RequestError } from './transport/index.js';
import type { PeerAddress, TransportEvents } from './transport/index.js';
import type { Identity } from './wal-record.js';

/**
 * One node of a replicated log: a {@link RaftLoop} over a folder, in time, connected with the others.
 */
export class RaftNode {
  readonly identity: Identity;
  /** What recovery found and set right, one sentence each. */
  readonly notes: readonly string[];
  /** What the folder held before this start; null: nothing. */
  readonly found: FoundLog | null;
  readonly #options: RaftNodeOptions;
  readonly #settings: RaftSettings;
  readonly #loop: RaftLoop;
  #transport: LogTransport | null = null;
  #ticker: Ticker | null = null;
  #state: 'opening' | 'open' | 'stopping' = 'opening';
  #stopped: Promise<void> | null = null;
  /** Peers whose answers do not count. */
  #hearsay: ReadonlySet<string> = new Set();
  /** Called when this node does not lead. */
  #handedOver: () => void = () => undefined;
  #told: LogStatus;
  /** The caller of `open` has the node. */
  #mayTell = false;

  private constructor(options: RaftNodeOptions, settings: RaftSettings, storage: OpenStorage) {
    this.#options = options;
    this.#settings = settings;
    this.identity = storage.identity;
    this.notes = storage.notes;
    this.found = storage.found;
    this.#loop = new RaftLoop(options, settings, storage, {
      send: (message) => this.#send(message),
      changed: () => this.#observe(),
      failed: (error) => this.#failed(error),
    });
    this.#told = this.status();
  }

  /**
   * Opens the folder, replays the log and joins the others. A node that votes alone elects itself at
   * once; then all that was ever acknowledged is applied when this resolves. Throws what
   * {@link openStorage} throws, and when the transport cannot start.
   */
  static async open(options: RaftNodeOptions): Promise<RaftNode> {
    const settings = { ...DEFAULT_RAFT_SETTINGS, ...options.settings };
    const { machine } = options;
    const { segmentBytes } = settings;
    const storage = await openStorage({ ...options, segmentBytes });
    try {
      if (storage.snapshotState !== null) await restoreInTurns(machine, storage.snapshotState);
      const { nodeId } = storage.identity;
      const node = new RaftNode({ ...options, nodeId }, settings, storage);
      await node.#begin();
      return node;
    } catch (error) {
      await storage.log.close().catch(() => undefined);
      throw error;
    }
  }

  /** Where the others connect; null when nothing listens. */
  get peerAddress(): { readonly host: string; readonly port: number } | null {
    return this.#transport?.address ?? null;
  }

  status(): LogStatus {
    const { role, leader, term, commit, last, configuration } = this.#loop.core.status;
    return {
      nodeId: this.#options.nodeId,
      role,
      leader: this.#isOpen ? leader : null,
      term,
      commitIndex: commit,
      appliedIndex: this.#loop.applied,
      lastIndex: last,
      snapshotIndex: this.#loop.snapshots.index,
      configuration,
    };
  }

  /**
   * Appends a command to the log, on the leader only. What is taken is applied, here as everywhere,
   * unless it is lost with the leadership: then another command is applied at its index, or one of a
   * later term. `command` must not be changed any more.
   */
  propose(command: Uint8Array): LogOutcome {
    const refusal = this.#refusal(command);
    if (refusal !== null) return { ok: false, reason: refusal };
    return this.#taken(this.#loop.core.propose(command));
  }

  /** Begins a change of the membership; it ends by itself. */
  change(change: ConfigurationChange): LogOutcome {
    if (!this.#isOpen) return { ok: false, reason: 'stopped' };
    return this.#taken(this.#loop.core.change(change));
  }

  /** Begins to hand leadership over; false when this node does not lead or the other cannot. */
  transfer(to: string): boolean {
    if (!this.#isOpen || !this.#loop.core.transfer(to)) return false;
    this.#loop.wake();
    return true;
  }

  /**
   * Resolves once all that was committed anywhere before this call is applied here (ReadIndex: a
   * quorum has confirmed the leader meanwhile). Rejects `deadlineMs` from now, and when the node
   * stops.
   */
  barrier(deadlineMs: number): Promise<void> {
    if (!this.#isOpen) return Promise.reject(this.#whyStopped());
    const reached = this.#loop.barriers.wait(deadlineMs);
    this.#loop.wake();
    return reached;
  }

  /** Where the others are; members that are not named cannot be reached. */
  setPeers(peers: readonly PeerAddress[]): void {
    if (!this.#isOpen) return;
    this.#hearsay = new Set(peers.filter(({ hearsay }) => hearsay === true).map(({ id }) => id));
    this.#transport?.setPeers(peers.filter(({ id }) => id !== this.#options.nodeId));
  }

  /** Asks another member; rejects with a {@link RequestError}, `deadlineMs` from now at the latest. */
  request(to: string, body: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    if (!this.#isOpen) {
      return Promise.reject(new RequestError('unsent', this.#whyStopped().message));
    }
    if (this.#transport !== null) return this.#transport.request(to, body, deadlineMs);
    return Promise.reject(new RequestError('unsent', 'this node is alone'));
  }

  /** Asks whoever of the cluster listens there, as somebody whom it need not know; rejects likewise. */
  ask(at: PeerAddress, body: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    if (this.#isOpen && this.#transport !== null) return this.#transport.ask(at, body, deadlineMs);
    return Promise.reject(new RequestError('unsent', 'this node is stopped or alone'));
  }

  /** Leader only: how far each other member holds the log, and whether it was heard of lately. */
  progress(): ReadonlyMap<string, { readonly match: number; readonly active: boolean }> {
    return this.#loop.core.leading?.progress ?? new Map();
  }

  /**
   * Hands leadership over if it can, finishes what is under way, closes files and sockets. Rejects
   * when the disk hangs: then the folder must not be used before this process has ended.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #begin(): Promise<void> {
    const { nodeId, transport } = this.#options;
    const { configuration, last } = this.#loop.core.status;
    if (configuration.voters.includes(nodeId) && isOnlyVoter(configuration, nodeId)) {
      this.#loop.core.campaign();
      this.#loop.turn();
      await this.#loop.idle();
      if (this.#loop.failure !== null) throw this.#loop.failure;
      assert(this.#loop.applied > last, 'a node that votes alone leads and has applied its log');
    }
    if (transport !== undefined) {
      const { clusterId, folderId } = this.identity;
      this.#transport = await transport({ id: nodeId, clusterId, folderId }, this.#hearing());
    }
    if (this.#loop.failure !== null) {
      await this.#transport?.close();
      throw this.#loop.failure;
    }
    this.#state = 'open';
    this.#told = this.status();
    this.#ticker = this.#startTicker();
    setImmediate(() => {
      this.#mayTell = true;
      this.#loop.turn();
    });
  }

  get #isOpen(): boolean {
    return this.#state === 'open' && this.#loop.failure === null;
  }

  /** Whether whoever hosts this node hears of it. */
  get #tells(): boolean {
    return this.#mayTell && this.#isOpen;
  }

  #refusal(command: Uint8Array): LogRefusal | null {
    if (!this.#isOpen) return 'stopped';
    if (command.length > this.#settings.maxProposalBytes) return 'too-large';
    const waiting = this.#loop.core.status.last - this.#loop.applied;
    return waiting >= this.#settings.maxWaiting ? 'overloaded' : null;
  }

  #taken(outcome: LogOutcome): LogOutcome {
    if (outcome.ok) this.#loop.wake();
    return outcome;
  }

  #hearing(): TransportEvents {
    const { events } = this.#options;
    const onProblem = (text: string): void => {
      if (this.#tells) events.onProblem(text);
    };
    const judge = ({ from, type }: Message, isSound: boolean): void => {
      if (!isSound) onProblem(`${from} sent a message of type ${type} that makes no sense`);
    };
    return {
      onMessage: (message) => {
        if (this.#hearsay.has(message.from) && isAnswer(message)) return;
        judge(message, this.#loop.step(message));
      },
      onSnapshot: (message, state) => judge(message, this.#loop.receive(message, state)),
      onUnreachable: (id) => {
        this.#loop.core.unreachable(id);
        this.#loop.wake();
      },
      onSnapshotEnded: (id, delivered) => this.#snapshotEnded(id, delivered),
      onRequest: (from, body) => {
        if (this.#tells) return events.onRequest(from, body);
        return Promise.reject(new Error('this node is starting or stopping'));
      },
      onProblem,
    };
  }

  #startTicker(): Ticker {
    const { clock, timer } = this.#options;
    const { tickMs: everyMs } = ticksOf(this.#settings);
    return new Ticker({ clock, timer, everyMs, onTick: () => this.#loop.tick() });
  }

  #send(message: Message): void {
    if (message.type !== 'snapshot') {
      this.#transport?.send(message);
      return;
    }
    const openState = this.#loop.snapshots.opener(message.snapshot.index);
    if (openState === null) this.#snapshotEnded(message.to, false);
    else this.#transport?.sendSnapshot(message, openState);
  }

  #snapshotEnded(id: string, delivered: boolean): void {
    this.#loop.core.snapshotEnded(id, delivered);
    this.#loop.wake();
  }

  /** Sees what changed; says so once the node is open and until it stops. */
  #observe(): void {
    const [before, now] = [this.#told, this.status()];
    if (now.role !== 'leader') this.#handedOver();
    if (!this.#tells) return;
    const led = before.leader === now.leader && before.term === now.term;
    if (!led) this.#loop.barriers.leaderChanged();
    const same =
      led &&
      before.role === now.role &&
      before.appliedIndex === now.appliedIndex &&
      before.configuration === now.configuration;
    if (same) return;
    this.#told = now;
    this.#options.events.onStatus(now);
  }

  async #stop(): Promise<void> {
    if (this.#loop.failure === null) {
      this.#state = 'stopping';
      this.#loop.barriers.rejectAll(this.#whyStopped());
      await this.#handOver();
    }
    this.#ticker?.stop();
    await this.#transport?.close();
    let expire = (): void => undefined;
    const expired = new Promise<'expired'>((resolve) => (expire = () => resolve('expired')));
    const deadline = this.#options.timer.after(this.#settings.stopMs, expire);
    const outcome = await Promise.race([expired, this.#loop.close()]);
    deadline.cancel();
    if (outcome === 'expired') {
      throw new NodeStoppedError(`the disk of node ${this.#options.nodeId} does not answer`);
    }
  }

  /** Waits for another leader for an election time, if this node leads and somebody could follow. */
  async #handOver(): Promise<void> {
    const { core } = this.#loop;
    if (core.status.role !== 'leader') return;
    const heirs = [...this.progress()].sort(([, a], [, b]) => b.match - a.match);
    if (!heirs.some(([id]) => core.transfer(id))) return;
    this.#loop.wake();
    await new Promise<void>((resolve) => {
      const deadline = this.#options.timer.after(this.#settings.electionMs, resolve);
      this.#handedOver = () => {
        deadline.cancel();
        resolve();
      };
    });
  }

  #whyStopped(): Error {
    return this.#loop.failure ?? new NodeStoppedError(`node ${this.#options.nodeId} is stopped`);
  }

  #failed(error: Error): void {
    this.#ticker?.stop();
    this.#handedOver();
    void this.#transport?.close();
    if (this.#state === 'open') this.#options.events.onFailure(error);
  }
}
