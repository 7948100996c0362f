import { ManualTime, seededRng } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import type { Entry, Message, SnapshotMessage } from '../core/index.js';
import { ListMachine } from '../testing/index.js';
import type { SimulatedFolder } from '../testing/index.js';
import { RaftNode } from './index.js';
import type { RaftSettings, StartTransport } from './index.js';
import type { PlainMessage, TransportEvents } from './transport/index.js';
import { Watched } from './transport/transport.fixture.js';

/** The two that lead in turn; each knows all that the other told. */
const LEADERS = ['l1', 'l2'] as const;

interface Told {
  readonly term: number;
  readonly command: string;
}

/** What the follower holds when it has done what it was last told. */
export interface FollowerState {
  readonly log: readonly Told[];
  readonly commit: number;
  /** Operations of its disk when it confirmed this. */
  readonly journal: number;
}

/**
 * A node that follows leaders of the test's making: they append, overwrite what is not committed,
 * commit, and send snapshots, one thing at a time, each confirmed before the next.
 */
export class ScriptedLeader extends Watched {
  readonly machine = new ListMachine();
  readonly states: FollowerState[] = [];
  /** Of each kind of thing that was told, how often. */
  readonly told = { appends: 0, overwrites: 0, commits: 0, snapshots: 0, conflicting: 0 };
  node!: RaftNode;
  #events!: TransportEvents;
  #log: Told[] = [];
  #term = 1;
  #commit = 0;
  #made = 0;
  readonly #said: Message[] = [];

  private constructor(
    private readonly folder: SimulatedFolder,
    private readonly rng: Rng,
  ) {
    super();
  }

  static async start(
    folder: SimulatedFolder,
    rng: Rng,
    settings: Partial<RaftSettings>,
  ): Promise<ScriptedLeader> {
    const leader = new ScriptedLeader(folder, rng);
    const transport: StartTransport = async (_, events) => {
      leader.#events = events;
      return {
        address: null,
        send: (message: PlainMessage) => {
          leader.#said.push(message);
          leader.changed();
        },
        sendSnapshot: () => undefined,
        request: () => Promise.reject(new Error('nobody is asked')),
        ask: () => Promise.reject(new Error('nobody is asked')),
        setPeers: () => undefined,
        close: () => Promise.resolve(),
      };
    };
    let ids = 0;
    const time = new ManualTime();
    leader.node = await RaftNode.open({
      folder,
      nodeId: 'n1',
      clusterId: 'c1',
      founders: [...LEADERS, 'n1'],
      newId: () => `id-${(ids += 1)}`,
      machine: leader.machine,
      events: {
        onStatus: () => undefined,
        onRequest: () => Promise.reject(new Error('nobody asks')),
        onFailure: (error) => {
          throw error;
        },
        onProblem: (text) => {
          throw new Error(text);
        },
      },
      clock: time,
      timer: time,
      rng: seededRng(1),
      settings,
      transport,
    });
    return leader;
  }

  /** Tells it the next thing and waits until that is done. */
  async step(): Promise<void> {
    const dice = this.rng.below(100);
    if (dice < 55) await this.#append();
    else if (dice < 75) await this.#overwrite();
    else if (dice < 92) await this.#commitSome();
    else await this.#install();
    const log = [...this.#log];
    this.states.push({ log, commit: this.#commit, journal: this.folder.journal.length });
  }

  get #leader(): string {
    return LEADERS[this.#term % LEADERS.length]!;
  }

  async #append(): Promise<void> {
    this.told.appends += 1;
    const from = this.#log.length;
    this.#log.push(...this.#some());
    await this.#tell(from);
  }

  /** A new leader, whose log differs from some entry on that is not committed. */
  async #overwrite(): Promise<void> {
    const free = this.#log.length - this.#commit;
    if (free === 0) return this.#append();
    this.told.overwrites += 1;
    this.#term += 1;
    const from = this.#commit + this.rng.below(free);
    this.#log = [...this.#log.slice(0, from), ...this.#some()];
    await this.#tell(from);
  }

  async #commitSome(): Promise<void> {
    this.told.commits += 1;
    this.#commit += this.rng.below(this.#log.length - this.#commit + 1);
    await this.#tell(this.#log.length);
  }

  /** A snapshot that reaches above the log, or lies across what differs from it. */
  async #install(): Promise<void> {
    const conflicting = this.#log.length - this.#commit > 1 && this.rng.below(2) === 0;
    this.told.snapshots += 1;
    this.told.conflicting += Number(conflicting);
    this.#term += 1;
    const kept = conflicting ? this.#commit : this.#log.length;
    const log = [...this.#log.slice(0, kept), ...this.#some()];
    if (!conflicting) log.push(...this.#some());
    this.#log = log;
    this.#commit = log.length;
    const configuration = { voters: ['l1', 'l2', 'n1'], outgoing: [], learners: [] };
    const mark = { index: log.length, term: this.#term };
    const message: SnapshotMessage = {
      ...this.#head(),
      type: 'snapshot',
      snapshot: { ...mark, configuration: { ...configuration, learnersNext: [] } },
    };
    const state = Buffer.from(JSON.stringify(log.map(({ command }) => command)));
    this.#events.onSnapshot(message, state);
    await this.#confirmed(log.length);
  }

  #some(): Told[] {
    return Array.from({ length: 1 + this.rng.below(4) }, () => {
      const bytes = this.rng.below(10) === 0 ? 6000 : 120;
      const command = `${(this.#made += 1)}:`.padEnd(4 + this.rng.below(bytes), 'x');
      return { term: this.#term, command };
    });
  }

  /** Sends what follows `from`, and the commit index. */
  async #tell(from: number): Promise<void> {
    const entries = this.#log.slice(from).map(({ term, command }, at): Entry => {
      return { index: from + at + 1, term, kind: 'command', data: Buffer.from(command) };
    });
    const previousTerm = this.#log[from - 1]?.term ?? 0;
    const commit = this.#commit;
    const append = { previousIndex: from, previousTerm, entries, commit };
    this.#events.onMessage({ ...this.#head(), type: 'append', ...append });
    await this.#confirmed(this.#log.length);
  }

  #head(): { readonly from: string; readonly to: string; readonly term: number } {
    return { from: this.#leader, to: 'n1', term: this.#term };
  }

  /** Waits for the promise to hold everything up to `index`. */
  async #confirmed(index: number): Promise<void> {
    const isIt = (message: Message): boolean =>
      message.type === 'append-response' &&
      message.term === this.#term &&
      message.refused === undefined &&
      message.index === index;
    await this.until(() => this.#said.some(isIt));
    this.#said.length = 0;
  }
}
