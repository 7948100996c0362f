import { createLogger } from '@pawl/platform';
import { afterEach, expect, it, vi } from 'vitest';
import { CloseStack } from './close-stack.js';

const TIMES = { totalMs: 10_000, deadlineMs: 1_000, monotonicMs: () => performance.now() };

afterEach(() => void vi.useRealTimers());

it('closes in the reverse order, past parts that fail or hang, once', async () => {
  const lines: string[] = [];
  const closed: string[] = [];
  const logger = createLogger({
    level: 'warn',
    destination: { write: (line) => void lines.push(line) },
  });
  const stack = new CloseStack({ logger, ...TIMES, deadlineMs: 20 });
  stack.push('first', () => void closed.push('first'));
  stack.push('hangs', () => new Promise(() => undefined));
  stack.push('rejects', () => Promise.reject(new Error('broken')));
  stack.push('throws', () => {
    throw new Error('broken');
  });
  stack.push('last', async () => void closed.push('last'));
  await stack.closeAll();
  expect(closed).toEqual(['last', 'first']);
  expect(lines.map((line) => (JSON.parse(line) as { part: string }).part)).toEqual([
    'throws',
    'rejects',
    'hangs',
  ]);
  await stack.closeAll();
  expect(closed).toEqual(['last', 'first']);
});

it('closes one part after the other, also when it is asked twice', async () => {
  const events: string[] = [];
  const stack = new CloseStack({ logger: createLogger({ level: 'silent' }), ...TIMES });
  for (const name of ['first', 'second']) {
    stack.push(name, async () => {
      events.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`${name} ends`);
    });
  }
  await Promise.all([stack.closeAll(), stack.closeAll()]);
  expect(events).toEqual(['second begins', 'second ends', 'first begins', 'first ends']);
});

it('closes all within one time, and leaves to each part what is reserved for it', async () => {
  vi.useFakeTimers();
  const logger = createLogger({ level: 'silent' });
  const started = Date.now();
  const stack = new CloseStack({
    logger,
    totalMs: 10_000,
    deadlineMs: 4_000,
    monotonicMs: () => Date.now(),
  });
  const begun: [string, number, number][] = [];
  const hangs = (name: string, times = {}): void =>
    stack.push(
      name,
      (boundMs) => {
        begun.push([name, Date.now() - started, boundMs]);
        return new Promise(() => undefined);
      },
      times,
    );
  hangs('store');
  hangs('lease', { reserveMs: 2_000 });
  hangs('http');
  hangs('shards', { deadlineMs: 9_000 });
  hangs('jobs');
  const closed = stack.closeAll();
  await vi.runAllTimersAsync();
  await closed;
  expect(begun).toEqual([
    ['jobs', 0, 4_000],
    ['shards', 4_000, 4_000],
    ['http', 8_000, 100],
    ['lease', 8_100, 1_900],
    ['store', 10_000, 100],
  ]);
});
