import { ManualTime, seededRng } from '@pawl/kernel';
import type { Timer } from '@pawl/kernel';
import { afterEach, expect, it } from 'vitest';
import type { Message } from '../core/index.js';
import { ListMachine, SimulatedFolder } from '../testing/index.js';
import { RaftNode } from './index.js';
import type { StartTransport } from './index.js';
import type { TransportEvents } from './transport/index.js';

/** As etcd's defaults: its nodes campaign 900 to 1,900 ms after they heard of a leader last. */
const SETTINGS = { heartbeatMs: 100, electionMs: 1000 };

let open: Founder | null = null;
afterEach(() => open?.node.stop());

/** One of three founders; the test speaks for the other two. */
class Founder implements Timer {
  readonly time = new ManualTime();
  readonly said: Message[] = [];
  node!: RaftNode;
  events!: TransportEvents;
  lateMs = 0;

  static async open(seed: number): Promise<Founder> {
    const founder = new Founder();
    const transport: StartTransport = async (_, events) => {
      founder.events = events;
      return {
        address: null,
        send: (message) => void founder.said.push(message),
        sendSnapshot: () => undefined,
        request: () => Promise.reject(new Error('nobody is asked')),
        ask: () => Promise.reject(new Error('nobody is asked')),
        setPeers: () => undefined,
        close: () => Promise.resolve(),
      };
    };
    let ids = 0;
    founder.node = await RaftNode.open({
      folder: SimulatedFolder.empty(),
      nodeId: 'n1',
      clusterId: 'c1',
      founders: ['n1', 'x', 'y'],
      newId: () => `id-${(ids += 1)}`,
      machine: new ListMachine(),
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
      clock: founder.time,
      timer: founder,
      rng: seededRng(seed),
      settings: SETTINGS,
      transport,
    });
    open = founder;
    return founder;
  }

  after(delayMs: number, callback: () => void) {
    return this.time.after(delayMs + this.lateMs, callback);
  }

  /** Time passes millisecond by millisecond, with all that follows, until it campaigns; how long. */
  async untilCampaign(mostMs: number): Promise<number> {
    for (let passedMs = 1; passedMs <= mostMs; passedMs += 1) {
      this.time.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
      if (this.campaigns) return passedMs;
    }
    throw new Error(`it does not campaign within ${mostMs} ms`);
  }

  get campaigns(): boolean {
    return this.said.some(({ type }) => type === 'pre-vote');
  }

  heartbeat(): void {
    const head = { from: 'x', to: 'n1', term: 1 };
    this.events.onMessage({ ...head, type: 'heartbeat', commit: 0, round: 0 });
  }
}

it('a node without a leader campaigns as soon as etcd does, though its timers are late', async () => {
  const waits: number[] = [];
  for (let seed = 1; seed <= 40; seed += 1) {
    const founder = await Founder.open(seed);
    founder.lateMs = 3;
    /* Just before a tick: the shortest wait. */
    founder.time.advance(199);
    founder.heartbeat();
    waits.push(await founder.untilCampaign(2000));
    await founder.node.stop();
  }
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(900);
  expect(Math.min(...waits)).toBeLessThan(1000);
  expect(Math.max(...waits)).toBeGreaterThan(1700);
  expect(Math.max(...waits)).toBeLessThanOrEqual(1850 + 4);
});

it('a follower that stood still does not campaign before it can hear of its leader', async () => {
  const founder = await Founder.open(1);
  founder.heartbeat();
  founder.lateMs = 60_000;
  founder.time.advance(50);
  founder.lateMs = 0;
  for (let beat = 0; beat < 40; beat += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    founder.time.advance(beat === 0 ? 60_000 : 50);
    if (beat % 2 === 1) founder.heartbeat();
  }
  expect(founder.node.status()).toMatchObject({ role: 'follower', leader: 'x', term: 1 });
  expect(founder.campaigns).toBe(false);
});
