import { ProblemException } from '@pawl/platform';
import { expect, it, vi } from 'vitest';
import { BodyGate, LARGE_BODY_BYTES } from '../http/body-gate.js';
import { commandGate } from './command-gate.js';

const LARGE = LARGE_BODY_BYTES + 1;

/** The gate of a node, a large write of REST that holds the turn until told, and what was begun. */
function node() {
  const rest = new BodyGate({
    smallBytes: 100_000,
    largeBytes: 2 * LARGE,
    waiting: 10,
    waitMs: 60_000,
  });
  const commands = commandGate(rest);
  const begun: string[] = [];
  let end = (): void => undefined;
  const hold = rest.hold();
  hold.reserve(LARGE);
  const write = hold.work(() => new Promise<void>((resolve) => (end = resolve)));
  const run = (name: string, bytes: number, waitMs = 60_000) =>
    commands.run({ bytes, waitMs }, async () => void begun.push(name));
  return { run, begun, write, end: () => end() };
}

async function turns(): Promise<void> {
  for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve));
}

it('lets large commands wait for the turn that a large write of REST has, and small ones pass', async () => {
  const { run, begun, write, end } = node();
  await turns();
  const large = run('large', LARGE);
  expect(await run('small', 200)).toBeUndefined();
  await turns();
  expect(begun).toEqual(['small']);
  end();
  await write;
  expect(await large).toBeUndefined();
  expect(begun).toEqual(['small', 'large']);
});

it('holds no more of them than its budget, which is not that of REST, and gives it back', async () => {
  const { run, begun, end } = node();
  await turns();
  const first = run('first', LARGE);
  const second = run('second', LARGE);
  expect(await run('third', LARGE)).toMatchObject({ code: 'too-many-requests' });
  end();
  expect(await Promise.all([first, second])).toEqual([undefined, undefined]);
  expect(await run('fourth', LARGE)).toBeUndefined();
  expect(begun).toEqual(['first', 'second', 'fourth']);
});

it('refuses one whose turn does not come in its time, and begins it no more', async () => {
  const { run, begun, write, end } = node();
  await turns();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const late = run('late', LARGE, 3_000);
  await vi.advanceTimersByTimeAsync(3_000);
  vi.useRealTimers();
  expect(await late).toMatchObject({ code: 'too-many-requests' });
  end();
  await write;
  await turns();
  expect(begun).toEqual([]);
});

it('leaves failures of the work to who began it', async () => {
  const { end, write } = node();
  const gate = commandGate(new BodyGate());
  const broken = ProblemException.of('internal', 'broken');
  const work = (): Promise<void> => Promise.reject(broken);
  for (const bytes of [10, LARGE]) {
    await expect(gate.run({ bytes, waitMs: 1_000 }, work)).rejects.toBe(broken);
  }
  await turns();
  end();
  await write;
});
