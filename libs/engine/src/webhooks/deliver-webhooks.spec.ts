import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { releaseEventSchema } from '@pawl/contracts';
import type { AddressText, ReleaseEvent } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ManualTime, type Clock } from '@pawl/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../sharding/truth-store.port.js';
import { FakeWebhookOutbox } from '../testing/fake-webhook-outbox.js';
import {
  DeliverWebhooks,
  FIRST_RETRY_MS,
  GIVE_UP_MS,
  LONGEST_RETRY_MS,
} from './deliver-webhooks.js';
import type { SentWebhook } from './webhook-sender.port.js';

const ENDPOINT = 'hooks-1';
const TAKEN: SentWebhook = { ok: true };
const REFUSED: SentWebhook = { ok: false, reason: 'it answered 500' };

let time: ManualTime;
let outbox: FakeWebhookOutbox;
/** Events in the order in which they were sent, and what became of them. */
let sent: { readonly node: string; readonly event: ReleaseEvent; readonly ok: boolean }[];
let answer: (event: ReleaseEvent) => SentWebhook | Promise<SentWebhook>;
let logged: string[];
let onGivenUp: () => void;
let counted: Record<'delivered' | 'failed' | 'givenUp', number>;

beforeEach(async () => {
  time = new ManualTime();
  outbox = new FakeWebhookOutbox(time);
  [sent, logged] = [[], []];
  counted = { delivered: 0, failed: 0, givenUp: 0 };
  answer = () => TAKEN;
  onGivenUp = () => undefined;
  await outbox.begin([ENDPOINT]);
});

function node(nodeId: string, clock: Clock = time): DeliverWebhooks {
  const log = (message: string): void => void logged.push(message);
  return new DeliverWebhooks({
    installation: { name: 'main', id: 'test', generation: 1, shards: 4 },
    outbox,
    sender: {
      send: async (_endpoint, event) => {
        const result = await answer(event);
        sent.push({ node: nodeId, event, ok: result.ok });
        return result;
      },
    },
    clock,
    parseTime: (text) => Date.parse(text),
    sha256,
    log: { debug: log, info: log, warn: log, error: log },
    observer: {
      delivered: () => (counted.delivered += 1),
      failed: () => (counted.failed += 1),
      givenUp: (_endpoint, events) => {
        counted.givenUp += events;
        onGivenUp();
      },
    },
    nodeId,
  });
}

function promote(releaseVersion: number, over: Partial<HistoryEntry> = {}): HistoryEntry {
  return {
    address: 'acme/app:limits' as AddressText,
    at: new Date(time.wallMs()).toISOString(),
    author: 'ann',
    kind: 'release',
    action: 'promote',
    releaseVersion,
    version: releaseVersion,
    ...over,
  };
}

const versions = (ok = true): unknown[] =>
  sent.filter((one) => one.ok === ok).map(({ event }) => event.data.releaseVersion);

describe('webhooks', () => {
  it('tell each transition once, in order, as an event of CloudEvents', async () => {
    outbox.append(promote(1, { reason: 'first', message: 'canary: stage 1 of 3' }));
    outbox.append({ ...promote(2), kind: 'definition' });
    outbox.append(promote(2, { action: 'advance', author: 'pawl', forced: true }));
    expect(await node('a').run(ENDPOINT)).toBeNull();
    expect(await node('a').run(ENDPOINT)).toBeNull();
    expect(versions()).toEqual([1, 2]);
    const [first, second] = sent.map(({ event }) => event);
    expect(first).toEqual({
      specversion: '1.0',
      id: first?.id,
      source: 'urn:pawl:main/test',
      type: 'pawl.release.promote',
      subject: 'acme/app:limits',
      time: first?.time,
      datacontenttype: 'application/json',
      data: promote(1, { reason: 'first', message: 'canary: stage 1 of 3' }),
    });
    expect(second?.type).toBe('pawl.release.advance');
    const ajv = new Ajv2020({ strict: false });
    (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
    const isEvent = ajv.compile(releaseEventSchema);
    for (const { event } of sent) expect([isEvent(event), isEvent.errors]).toEqual([true, null]);
    expect(counted).toEqual({ delivered: 2, failed: 0, givenUp: 0 });
  });

  it('send what failed again, under the same id, ever more seldom, and nothing in front of it', async () => {
    const a = node('a');
    outbox.append(promote(1));
    outbox.append(promote(2));
    answer = () => REFUSED;
    const waits: (number | null)[] = [];
    for (let tries = 0; tries < 12; tries += 1) {
      const wait = await a.run(ENDPOINT);
      waits.push(wait);
      expect(await a.run(ENDPOINT)).toBeNull();
      time.advance(wait ?? 0);
    }
    expect(waits.slice(0, 4)).toEqual([1, 2, 4, 8].map((times) => times * FIRST_RETRY_MS));
    expect(waits.at(-1)).toBe(LONGEST_RETRY_MS);
    expect(versions(false)).toEqual(Array.from({ length: 12 }, () => 1));
    answer = () => TAKEN;
    await a.run(ENDPOINT);
    expect(versions()).toEqual([1, 2]);
    expect(new Set(sent.map(({ event }) => event.id)).size).toBe(2);
    expect(counted).toEqual({ delivered: 2, failed: 12, givenUp: 0 });
    expect(logged).toEqual([
      'a webhook was not taken; will be tried again',
      'a webhook is taken again',
    ]);
  });

  it('give up what is older than a day, count it, say so once, and send the rest', async () => {
    for (let version = 1; version <= 150; version += 1) outbox.append(promote(version));
    time.advance(GIVE_UP_MS + 1);
    outbox.append(promote(151));
    answer = () => REFUSED;
    const a = node('a');
    const wait = await a.run(ENDPOINT);
    time.advance(wait ?? 0);
    answer = () => TAKEN;
    await a.run(ENDPOINT);
    expect(versions()).toEqual([151]);
    expect(counted).toEqual({ delivered: 1, failed: 1, givenUp: 150 });
    expect(logged.filter((line) => line.includes('given up'))).toHaveLength(2);
  });

  it('give up nothing because the clock of a node is days ahead, or behind', async () => {
    for (const aheadMs of [3 * GIVE_UP_MS, -3 * GIVE_UP_MS]) {
      outbox.append(promote(1));
      const wrong: Clock = {
        wallMs: () => time.wallMs() + aheadMs,
        monotonicMs: () => time.monotonicMs(),
      };
      expect(await node('a', wrong).run(ENDPOINT)).toBeNull();
    }
    expect(versions()).toEqual([1, 1]);
    expect(counted.givenUp).toBe(0);
  });

  it('give up what is too old in turns like everything else, and no further once stopped', async () => {
    for (let version = 1; version <= 350; version += 1) outbox.append(promote(version));
    time.advance(GIVE_UP_MS + 1);
    const a = node('a');
    let pages = 0;
    onGivenUp = () => {
      pages += 1;
      if (pages === 1) time.advance(60_000);
      if (pages === 2) a.stop();
    };
    expect(await a.run(ENDPOINT)).toBe(0);
    expect(counted.givenUp).toBe(100);
    expect(await a.run(ENDPOINT)).toBeNull();
    expect(counted.givenUp).toBe(200);
    await node('b').run(ENDPOINT);
    expect(counted.givenUp).toBe(350);
  });

  it('are sent by one node at a time, and by the other once the first is gone', async () => {
    outbox.append(promote(1));
    outbox.append(promote(2));
    let goOn = (): void => undefined;
    const reached = new Promise<void>((told) => {
      answer = (event) => {
        if (event.data.releaseVersion === 2) return TAKEN;
        told();
        return new Promise<SentWebhook>((resolve) => (goOn = () => resolve(TAKEN)));
      };
    });
    const paused = node('a').run(ENDPOINT);
    await reached;
    const b = node('b');
    expect(await b.run(ENDPOINT)).toBeNull();
    expect(sent).toEqual([]);
    time.advance(60_000);
    answer = () => TAKEN;
    await b.run(ENDPOINT);
    goOn();
    await paused;
    expect(sent.map((one) => [one.node, one.event.data.releaseVersion])).toEqual([
      ['b', 1],
      ['b', 2],
      ['a', 1],
    ]);
    expect(new Set(sent.map(({ event }) => event.id)).size).toBe(2);
    expect(await b.run(ENDPOINT)).toBeNull();
    expect(sent).toHaveLength(3);
  });

  it('look again for whoever was refused meanwhile on this node', async () => {
    const a = node('a');
    outbox.append(promote(1));
    const giveBack = outbox.giveBack.bind(outbox);
    const read = outbox.read.bind(outbox);
    outbox.giveBack = async (lease) => {
      await giveBack(lease);
      outbox.read = async (...page) => {
        const found = await read(...page);
        outbox.read = read;
        outbox.append(promote(2));
        expect(await a.run(ENDPOINT)).toBeNull();
        return found;
      };
      outbox.giveBack = giveBack;
    };
    await a.run(ENDPOINT);
    expect(versions()).toEqual([1, 2]);
  });

  it('look again for whoever was refused meanwhile on another node', async () => {
    const [a, b] = [node('a'), node('b')];
    outbox.append(promote(1));
    answer = async (event) => {
      if (event.data.releaseVersion === 1) {
        outbox.append(promote(2));
        await b.run(ENDPOINT);
      }
      return TAKEN;
    };
    const giveBack = outbox.giveBack.bind(outbox);
    outbox.giveBack = async (lease) => {
      outbox.giveBack = giveBack;
      outbox.append(promote(3));
      await b.run(ENDPOINT);
      await giveBack(lease);
    };
    await a.run(ENDPOINT);
    expect(sent.map((one) => [one.node, one.event.data.releaseVersion])).toEqual([
      ['a', 1],
      ['a', 2],
      ['a', 3],
    ]);
  });

  it('wait while something may still be committed before what is there', async () => {
    outbox.append(promote(1));
    outbox.unsettled = true;
    expect(await node('a').run(ENDPOINT)).toBeGreaterThan(0);
    expect(sent).toEqual([]);
    outbox.unsettled = false;
    await node('b').run(ENDPOINT);
    expect(versions()).toEqual([1]);
  });

  it('are looked for again soon where whoever was refused committed behind one under way', async () => {
    outbox.append(promote(1));
    const giveBack = outbox.giveBack.bind(outbox);
    outbox.giveBack = (lease) => {
      outbox.append(promote(2));
      outbox.unsettled = true;
      return giveBack(lease);
    };
    expect(await node('a').run(ENDPOINT)).toBeGreaterThan(0);
    expect(versions()).toEqual([1]);
  });

  it('neither stall nor repeat an id when the history was put back', async () => {
    const a = node('a');
    for (const version of [1, 2, 3]) outbox.append(promote(version));
    await a.run(ENDPOINT);
    outbox.putBack(1);
    await a.run(ENDPOINT);
    outbox.append(promote(2, { author: 'bob' }));
    await a.run(ENDPOINT);
    expect(versions()).toEqual([1, 2, 3, 2]);
    expect(new Set(sent.map(({ event }) => event.id)).size).toBe(4);
  });

  it('count no failure when they are cut off by a stop, and leave the rest to others', async () => {
    const [a, b] = [node('a'), node('b')];
    outbox.append(promote(1));
    answer = () => {
      a.stop();
      return REFUSED;
    };
    expect(await a.run(ENDPOINT)).toBeNull();
    expect(counted.failed).toBe(0);
    answer = () => TAKEN;
    await b.run(ENDPOINT);
    expect(versions()).toEqual([1]);
  });
});
