import { ManualTime, seededRng } from '@pawl/kernel';
import { expect, it } from 'vitest';
import type { Message, SnapshotMessage } from '../core/index.js';
import { ListMachine, SimulatedFolder } from '../testing/index.js';
import type { StorageOperation } from '../testing/index.js';
import { RaftNode } from './index.js';
import type { StartTransport } from './index.js';
import { ticksOf, DEFAULT_RAFT_SETTINGS } from './raft-settings.js';
import type { PlainMessage, TransportEvents } from './transport/index.js';
import { Watched } from './transport/transport.fixture.js';

const SETTINGS = { snapshotEntries: 5, trailingBytes: 0 };
const { tickMs } = ticksOf(DEFAULT_RAFT_SETTINGS);

/**
 * A node that leads two others of the test's making: `x` agrees to everything, `y` only answers
 * heartbeats, so that it needs a snapshot as soon as there is one.
 */
class Led extends Watched {
  readonly folder = SimulatedFolder.empty();
  readonly time = new ManualTime();
  readonly failures: Error[] = [];
  /** What was sent to `y`. */
  readonly snapshots: SnapshotMessage[] = [];
  node!: RaftNode;
  events!: TransportEvents;
  /** `y` is silent. */
  deaf = false;

  static async start(): Promise<Led> {
    const led = new Led();
    const transport: StartTransport = async (_, events) => {
      led.events = events;
      return {
        address: null,
        send: (message) => setImmediate(() => led.#answer(message)),
        sendSnapshot: (message) => {
          led.snapshots.push(message);
          led.changed();
        },
        request: () => Promise.reject(new Error('nobody is asked')),
        ask: () => Promise.reject(new Error('nobody is asked')),
        setPeers: () => undefined,
        close: () => Promise.resolve(),
      };
    };
    let ids = 0;
    led.node = await RaftNode.open({
      folder: led.folder,
      nodeId: 'n1',
      clusterId: 'c1',
      founders: ['n1', 'x', 'y'],
      newId: () => `id-${(ids += 1)}`,
      machine: new ListMachine(),
      events: {
        onStatus: () => led.changed(),
        onRequest: () => Promise.reject(new Error('nobody asks')),
        onFailure: (error) => {
          led.failures.push(error);
          led.changed();
        },
        onProblem: (text) => {
          throw new Error(text);
        },
      },
      clock: led.time,
      timer: led.time,
      rng: seededRng(1),
      settings: SETTINGS,
      transport,
    });
    await led.tickUntil(() => led.node.status().role === 'leader');
    return led;
  }

  /** Time passes, and all that follows from it happens, until the condition holds. */
  async tickUntil(condition: () => boolean): Promise<void> {
    for (let left = 200; !condition(); left -= 1) {
      if (left === 0) throw new Error('it never comes to that');
      this.time.advance(tickMs);
      await turns();
    }
  }

  /** Resolves once so many commands are applied, or the node failed. */
  async write(count: number): Promise<void> {
    const before = this.node.status().lastIndex;
    for (let at = 0; at < count; at += 1) this.node.propose(Buffer.from(`${before + at}`));
    const { failures, node } = this;
    const isDone = (): boolean => node.status().appliedIndex >= before + count;
    await this.until(() => failures.length > 0 || isDone());
  }

  /** `y` says that it is there. */
  hearOfY(): void {
    this.events.onMessage({ ...this.#head('y'), type: 'heartbeat-response', round: 0 });
  }

  #answer(message: PlainMessage): void {
    if (this.failures.length > 0) return;
    const answer = this.#answerTo(message);
    if (answer !== null) this.events.onMessage(answer);
  }

  #answerTo(message: PlainMessage): PlainMessage | null {
    const head = { ...this.#head(message.to), term: message.term };
    if (message.type === 'heartbeat') {
      if (message.to === 'y' && this.deaf) return null;
      return { ...head, type: 'heartbeat-response', round: message.round };
    }
    if (message.to === 'y') return null;
    if (message.type === 'append') {
      const index = message.previousIndex + message.entries.length;
      return { ...head, type: 'append-response', index };
    }
    if (message.type === 'pre-vote' || message.type === 'vote') {
      return { ...head, type: `${message.type}-response`, granted: true };
    }
    return null;
  }

  #head(from: string): Pick<Message, 'from' | 'to' | 'term'> {
    return { from, to: 'n1', term: this.node.status().term };
  }
}

/** Lets all that needs no time happen. */
async function turns(): Promise<void> {
  for (let left = 10; left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve));
}

const isSnapshotName = (operation: StorageOperation): boolean =>
  operation.op === 'rename' && /^snap-/.test(operation.to);

it('a snapshot that was taken while the one before it waited to be sent stops nobody', async () => {
  const led = await Led.start();
  const { folder, node, time } = led;
  await led.write(SETTINGS.snapshotEntries);
  await led.tickUntil(() => led.snapshots.length > 0);
  const first = led.snapshots[0]!.snapshot.index;
  led.deaf = true;

  /* The second snapshot is whole, and gets its name while the log is written to. */
  let named = (): void => undefined;
  const mayBeNamed = new Promise<void>((resolve) => (named = resolve));
  let isWritten = (): void => undefined;
  const written = new Promise<void>((resolve) => (isWritten = resolve));
  folder.before = async (operation) => {
    if (!isSnapshotName(operation)) return;
    isWritten();
    await mayBeNamed;
  };
  await led.write(SETTINGS.snapshotEntries);
  await written;
  const { before } = folder;
  let raced = false;
  folder.before = async (operation) => {
    if (operation.op !== 'sync' || raced) return before(operation);
    raced = true;
    named();
    await turns();
    expect(node.status().snapshotIndex).toBe(first);
    /* `y` wants the first one, and the tick puts that into the outbox just before the write is done. */
    led.events.onSnapshotEnded('y', false);
    led.hearOfY();
    time.advance(tickMs);
  };
  await led.write(1);
  await turns();
  expect(raced).toBe(true);
  expect(led.failures).toEqual([]);
  expect(node.status().snapshotIndex).toBeGreaterThan(first);

  led.deaf = false;
  const sent = led.snapshots.length;
  await led.tickUntil(() => led.snapshots.length > sent);
  expect(led.snapshots.at(-1)?.snapshot.index).toBe(node.status().snapshotIndex);
  let stopped = false;
  void node.stop().then(() => (stopped = true));
  await led.tickUntil(() => stopped);
});
