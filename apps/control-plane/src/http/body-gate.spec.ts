import { expect, it } from 'vitest';
import { BodyGate, LARGE_BODY_BYTES } from './body-gate.js';

const LARGE = LARGE_BODY_BYTES + 1;
const OPTIONS = { smallBytes: 100_000, largeBytes: 3 * LARGE, waiting: 10, waitMs: 60_000 };

it('holds no more than its budgets, small and large ones apart', () => {
  const gate = new BodyGate(OPTIONS);
  const large = Array.from({ length: 4 }, () => gate.hold());
  expect(large.map((hold) => hold.reserve(LARGE))).toEqual([true, true, true, false]);
  const small = Array.from({ length: 3 }, () => gate.hold());
  expect(small.map((hold) => hold.reserve(50_000))).toEqual([true, true, false]);
  expect(gate.heldBytes).toBe(3 * LARGE + 100_000);
  large[0]?.end();
  expect(large[3]?.reserve(LARGE)).toBe(true);
  for (const hold of [...large, ...small]) hold.end();
  expect(gate.heldBytes).toBe(0);
});

it('counts what grows once, and moves it when it becomes large', () => {
  const gate = new BodyGate(OPTIONS);
  const hold = gate.hold();
  for (const bytes of [10, 1_000, LARGE_BODY_BYTES]) {
    expect(hold.reserve(bytes)).toBe(true);
    expect(gate.heldBytes).toBe(bytes);
  }
  expect(hold.reserve(LARGE)).toBe(true);
  expect(gate.heldBytes).toBe(LARGE);
  expect(gate.hold().reserve(LARGE_BODY_BYTES)).toBe(true);
  expect(hold.reserve(5 * LARGE)).toBe(false);
  hold.end();
  expect(gate.heldBytes).toBe(LARGE_BODY_BYTES);
});

it('gives back once: when the work is done, whenever the connection closes', async () => {
  const gate = new BodyGate(OPTIONS);
  const hold = gate.hold();
  hold.reserve(LARGE);
  const during = await hold.work(async () => {
    hold.end();
    return gate.heldBytes;
  });
  expect(during).toBe(LARGE);
  expect(gate.heldBytes).toBe(0);
  hold.end();
  expect(gate.heldBytes).toBe(0);
  expect(hold.reserve(1)).toBe(false);
});

it('gives back after work that fails', async () => {
  const gate = new BodyGate(OPTIONS);
  for (const bytes of [10, LARGE]) {
    const hold = gate.hold();
    hold.reserve(bytes);
    await expect(hold.work(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(gate.heldBytes).toBe(0);
  }
});

it('works on large ones one at a time, and on small ones beside them', async () => {
  const gate = new BodyGate(OPTIONS);
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  const run = (bytes: number, large?: boolean): Promise<void> => {
    const hold = gate.hold();
    hold.reserve(bytes);
    return hold.work(work, large === undefined ? {} : { large });
  };
  await Promise.all([run(LARGE), run(LARGE), run(10, true), run(10, true)]);
  expect(most).toBe(1);
  await Promise.all([run(10), run(10), run(10)]);
  expect(most).toBe(3);
  expect(gate.heldBytes).toBe(0);
});
