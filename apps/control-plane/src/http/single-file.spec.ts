import { ProblemException } from '@pawl/platform';
import { afterEach, expect, it, vi } from 'vitest';
import { SingleFile } from './single-file.js';

const HERE = new AbortController().signal;

/** Work that begins and ends when told, and notes both. */
function station(log: string[]) {
  const ends = new Map<string, () => void>();
  return {
    work: (name: string) => () =>
      new Promise<string>((resolve) => {
        log.push(`${name} begins`);
        ends.set(name, () => {
          log.push(`${name} ends`);
          resolve(name);
        });
      }),
    end: (name: string) => ends.get(name)?.(),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
async function turns(): Promise<void> {
  for (let n = 0; n < 5; n += 1) await turn();
}
const code = (error: unknown): unknown =>
  error instanceof ProblemException ? error.problem.code : error;

afterEach(() => void vi.useRealTimers());

it('works on one at a time, first come, first served', async () => {
  const file = new SingleFile({ waiting: 10, waitMs: 60_000 });
  const log: string[] = [];
  const { work, end } = station(log);
  const all = ['a', 'b', 'c'].map((name) => file.run(work(name), HERE));
  await turns();
  expect(log).toEqual(['a begins']);
  end('a');
  const late = file.run(work('d'), HERE);
  await turns();
  end('b');
  await turns();
  end('c');
  await turns();
  end('d');
  expect(await Promise.all([...all, late])).toEqual(['a', 'b', 'c', 'd']);
  expect(log.filter((entry) => entry.endsWith('begins'))).toEqual(
    ['a', 'b', 'c', 'd'].map((name) => `${name} begins`),
  );
  expect(log).toEqual(['a', 'b', 'c', 'd'].flatMap((name) => [`${name} begins`, `${name} ends`]));
});

it('gives the event loop a turn before each', async () => {
  const file = new SingleFile({ waiting: 10, waitMs: 60_000 });
  let taken = 0;
  let going = true;
  const count = (): void => {
    taken += 1;
    if (going) setImmediate(count);
  };
  setImmediate(count);
  const seen = await Promise.all(
    Array.from({ length: 5 }, () => file.run(async () => taken, HERE)),
  );
  going = false;
  expect(new Set(seen).size).toBe(5);
});

it('goes on after work that fails', async () => {
  const file = new SingleFile({ waiting: 10, waitMs: 60_000 });
  const failed = file.run(() => Promise.reject(new Error('broken')), HERE);
  const next = file.run(async () => 'fine', HERE);
  await expect(failed).rejects.toThrow('broken');
  expect(await next).toBe('fine');
});

it('refuses one more than may wait', async () => {
  const file = new SingleFile({ waiting: 1, waitMs: 60_000 });
  const { work, end } = station([]);
  const first = file.run(work('a'), HERE);
  const second = file.run(async () => 'b', HERE);
  expect(await file.run(work('c'), HERE).catch(code)).toBe('too-many-requests');
  await turns();
  end('a');
  expect(await Promise.all([first, second])).toEqual(['a', 'b']);
});

it('refuses whose turn does not come in time, and nobody behind it', async () => {
  const file = new SingleFile({ waiting: 10, waitMs: 10_000 });
  const log: string[] = [];
  const { work, end } = station(log);
  const first = file.run(work('a'), HERE);
  await turns();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const slow = file.run(work('b'), HERE).catch(code);
  vi.advanceTimersByTime(9_999);
  const third = file.run(async () => 'c', HERE);
  expect(file.waiting).toBe(2);
  vi.advanceTimersByTime(1);
  expect(await slow).toBe('too-many-requests');
  expect(file.waiting).toBe(1);
  end('a');
  expect(await Promise.all([first, third])).toEqual(['a', 'c']);
  expect(log).toEqual(['a begins', 'a ends']);
  expect(vi.getTimerCount()).toBe(0);
});

it('lets one wait for less than the others, and not for more', async () => {
  const file = new SingleFile({ waiting: 10, waitMs: 10_000 });
  const { work, end } = station([]);
  const first = file.run(work('a'), HERE);
  await turns();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const refused: string[] = [];
  for (const [name, waitMs] of Object.entries({ short: 3_000, long: 20_000 })) {
    file.run(work(name), HERE, waitMs).catch(() => refused.push(name));
  }
  await vi.advanceTimersByTimeAsync(2_999);
  expect(refused).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(refused).toEqual(['short']);
  await vi.advanceTimersByTimeAsync(7_000);
  expect(refused).toEqual(['short', 'long']);
  end('a');
  expect(await first).toBe('a');
});

it('forgets who has gone', async () => {
  const file = new SingleFile({ waiting: 10, waitMs: 60_000 });
  const log: string[] = [];
  const { work, end } = station(log);
  const first = file.run(work('a'), HERE);
  const gone = new AbortController();
  const left = file.run(work('b'), gone.signal).catch(code);
  gone.abort();
  expect(await left).toBe('malformed-request');
  expect(await file.run(work('c'), gone.signal).catch(code)).toBe('malformed-request');
  await turns();
  end('a');
  await first;
  expect(await file.run(async () => 'd', HERE)).toBe('d');
  expect(log).toEqual(['a begins', 'a ends']);
});

it('lets the next one in when one leaves before its end', async () => {
  const file = new SingleFile({ waiting: 10, waitMs: 60_000 });
  const log: string[] = [];
  const { work, end } = station(log);
  const early = file.run((leave) => {
    leave();
    leave();
    return work('a')();
  }, HERE);
  const [second, third] = ['b', 'c'].map((name) => file.run(work(name), HERE));
  await turns();
  expect(log).toEqual(['a begins', 'b begins']);
  end('a');
  await turns();
  expect(log).toEqual(['a begins', 'b begins', 'a ends']);
  end('b');
  await turns();
  end('c');
  expect(await Promise.all([early, second, third])).toEqual(['a', 'b', 'c']);
});
