import { ManualTime, seededRng } from '@pawl/kernel';
import type { Message } from '../core/index.js';
import { ListMachine, SimulatedFolder } from '../testing/index.js';
import { RaftNode } from './index.js';
import type { StartTransport } from './index.js';
import type { PlainMessage, TransportEvents } from './transport/index.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * One of three founders, whose state machine takes `applyMs` for a command. Time passes by applying
 * and as the test says, and by nothing else: the disk takes none. The test speaks for the other two.
 */
export class SlowMachine {
  readonly time = new ManualTime();
  readonly machine = new ListMachine();
  readonly said: Message[] = [];
  /** When each command was applied, and how many messages were said before. */
  readonly applied: { readonly atMs: number; readonly said: number }[] = [];
  /** Whether the other two say yes to whatever they are asked. */
  othersAgree = false;
  node!: RaftNode;
  events!: TransportEvents;
  /** Time that was spent applying and that the timers do not know of yet. */
  #spentMs = 0;

  private constructor(
    readonly folder: SimulatedFolder,
    public applyMs: number,
  ) {}

  static async open(folder = SimulatedFolder.empty(), applyMs = 0): Promise<SlowMachine> {
    const slow = new SlowMachine(folder, applyMs);
    const { time, machine } = slow;
    let ids = 0;
    slow.node = await RaftNode.open({
      folder,
      nodeId: 'n1',
      clusterId: 'c1',
      founders: ['l1', 'l2', 'n1'],
      newId: () => `id-${(ids += 1)}`,
      machine: {
        apply: (command) => {
          machine.apply(command);
          slow.#spentMs += slow.applyMs;
          slow.applied.push({ atMs: slow.nowMs, said: slow.said.length });
        },
        snapshot: () => machine.snapshot(),
        restore: (state) => machine.restore(state),
      },
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
      clock: { monotonicMs: () => slow.nowMs },
      timer: time,
      rng: seededRng(1),
      settings: {},
      transport: slow.#transport(),
    });
    await turn();
    return slow;
  }

  get nowMs(): number {
    return this.time.monotonicMs() + this.#spentMs;
  }

  /** A turn of the event loop, and the time that it took. */
  async turn(): Promise<void> {
    await turn();
    const spentMs = this.#spentMs;
    this.#spentMs = 0;
    this.time.advance(spentMs);
  }

  /** Turns until `done`, `idleMs` passing in each. */
  async until(what: string, done: () => boolean, idleMs = 0): Promise<void> {
    for (let left = 20_000; left > 0; left -= 1) {
      if (done()) return;
      await this.turn();
      this.time.advance(idleMs);
    }
    throw new Error(`not within 20,000 turns: ${what}`);
  }

  async lead(): Promise<void> {
    this.othersAgree = true;
    await this.until('it leads', () => this.node.status().role === 'leader', 5);
    const { lastIndex } = this.node.status();
    await this.until('it commits', () => this.node.status().commitIndex === lastIndex);
  }

  /** Proposes so many commands of `bytes` each; answers the index of the last. */
  propose(count: number, bytes: number): number {
    let last = 0;
    for (let n = 0; n < count; n += 1) {
      const outcome = this.node.propose(Buffer.alloc(bytes, 'x'));
      if (!outcome.ok) throw new Error(outcome.reason);
      last = outcome.index;
    }
    return last;
  }

  async stop(): Promise<void> {
    let isStopped = false;
    const stopped = this.node.stop().finally(() => (isStopped = true));
    await this.until('it stops', () => isStopped, 5);
    await stopped;
  }

  #transport(): StartTransport {
    return async (_, events) => {
      this.events = events;
      return {
        address: null,
        send: (message) => {
          this.said.push(message);
          const answer = this.othersAgree ? yesTo(message) : null;
          if (answer !== null) setImmediate(() => events.onMessage(answer));
        },
        sendSnapshot: () => undefined,
        request: () => Promise.reject(new Error('nobody is asked')),
        ask: () => Promise.reject(new Error('nobody is asked')),
        setPeers: () => undefined,
        close: () => Promise.resolve(),
      };
    };
  }
}

function yesTo(message: Message): PlainMessage | null {
  const head = { from: message.to, to: message.from, term: message.term };
  switch (message.type) {
    case 'pre-vote':
      return { ...head, type: 'pre-vote-response', granted: true };
    case 'vote':
      return { ...head, type: 'vote-response', granted: true };
    case 'append': {
      const index = message.previousIndex + message.entries.length;
      return { ...head, type: 'append-response', index };
    }
    case 'heartbeat':
      return { ...head, type: 'heartbeat-response', round: message.round };
    default:
      return null;
  }
}
