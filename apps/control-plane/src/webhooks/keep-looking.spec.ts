import { ManualTime } from '@pawl/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import { keepLooking, type Looking } from './keep-looking.js';

const EVERY_MS = 30_000;

let time: ManualTime;
let looks: string[];
let answer: () => Promise<number | null>;
let failures: unknown[];
let looking: Looking;

beforeEach(() => {
  time = new ManualTime();
  [looks, failures] = [[], []];
  answer = () => Promise.resolve(null);
  looking = keepLooking({
    endpoints: ['hooks-1', 'hooks-2'],
    deliver: (endpoint) => {
      looks.push(endpoint);
      return answer();
    },
    everyMs: EVERY_MS,
    timer: time,
    failed: (_endpoint, error) => failures.push(error),
  });
});

/** What the event loop has for all who wait. */
async function passed(ms: number): Promise<void> {
  time.advance(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

describe('looks at webhooks that nobody asks for', () => {
  it('come at each endpoint again and again, also when they fail', async () => {
    await passed(EVERY_MS - 1);
    expect(looks).toEqual([]);
    await passed(1);
    expect(looks).toEqual(['hooks-1', 'hooks-2']);
    answer = () => Promise.reject(new Error('no PostgreSQL'));
    await passed(EVERY_MS);
    await passed(EVERY_MS);
    expect(looks).toHaveLength(6);
    expect(failures).toHaveLength(4);
  });

  it('are put off by those that are asked for, and come sooner when there is more to do', async () => {
    await passed(EVERY_MS - 1);
    expect(await looking.deliver('hooks-1')).toBeNull();
    await passed(1);
    expect(looks).toEqual(['hooks-1', 'hooks-2']);
    answer = () => Promise.resolve(looks.length > 3 ? null : 1_000);
    await passed(EVERY_MS - 1);
    expect(looks).toEqual(['hooks-1', 'hooks-2', 'hooks-1']);
    await passed(1_000);
    expect(looks.filter((one) => one === 'hooks-1')).toHaveLength(3);
  });

  it('come at once where somebody wants it', async () => {
    looking.now('hooks-2');
    looking.now('hooks-9');
    await passed(0);
    expect(looks).toEqual(['hooks-2']);
    await passed(EVERY_MS);
    expect(looks).toEqual(['hooks-2', 'hooks-1', 'hooks-2']);
    await looking.close();
    looking.now('hooks-1');
    await passed(EVERY_MS);
    expect(looks).toHaveLength(3);
  });

  it('do not wait longer because there is more to do much later', async () => {
    answer = () => Promise.resolve(10 * EVERY_MS);
    await passed(EVERY_MS);
    await passed(EVERY_MS);
    expect(looks).toHaveLength(4);
  });

  it('end when they are closed, one that hangs after a while', async () => {
    answer = () => new Promise(() => undefined);
    await passed(EVERY_MS);
    const closing = looking.close();
    await passed(2_000);
    await closing;
    answer = () => Promise.resolve(null);
    expect(await looking.deliver('hooks-2')).toBeNull();
    await passed(10 * EVERY_MS);
    expect(looks).toEqual(['hooks-1', 'hooks-2', 'hooks-2']);
  });

  it('leave alone what this node does not know', async () => {
    await looking.deliver('hooks-9');
    await passed(2 * EVERY_MS);
    expect(looks.filter((one) => one === 'hooks-9')).toHaveLength(1);
  });
});
