import { expect, it } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { SharedBarrier } from './shared-barrier.js';

/** A barrier over a log whose confirmations the test gives. */
function desk() {
  const begun: { resolve: () => void; reject: (error: Error) => void; deadlineMs: number }[] = [];
  const passed: string[] = [];
  const log = {
    barrier: (deadlineMs: number) =>
      new Promise<void>((resolve, reject) => begun.push({ resolve, reject, deadlineMs })),
  };
  const barrier = new SharedBarrier(log, 1000);
  const pass = (name: string): void => {
    barrier.pass().then(
      () => passed.push(name),
      (error: unknown) => passed.push(`${name} ${(error as MetadataUnavailableError).done}`),
    );
  };
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  return { begun, passed, pass, settled };
}

it('is shared by those that come while another one is under way, and begins after them', async () => {
  const { begun, passed, pass, settled } = desk();
  for (const name of ['a', 'b', 'c']) pass(name);
  expect(begun).toHaveLength(1);
  begun[0]?.resolve();
  await settled();
  expect(passed).toEqual(['a']);
  expect(begun).toHaveLength(2);
  pass('d');
  begun[1]?.resolve();
  await settled();
  expect(passed).toEqual(['a', 'b', 'c']);
  begun[2]?.resolve();
  await settled();
  expect(passed).toEqual(['a', 'b', 'c', 'd']);
  pass('e');
  expect(begun).toHaveLength(4);
});

it('never lets one pass by a confirmation that had begun before it came', async () => {
  const { begun, passed, pass, settled } = desk();
  pass('a');
  pass('b');
  begun[0]?.resolve();
  /* Between the end of one and the beginning of the next. */
  await Promise.resolve();
  pass('c');
  await settled();
  expect(begun).toHaveLength(2);
  pass('d');
  begun[1]?.resolve();
  await settled();
  expect(passed).toEqual(['a', 'b', 'c']);
});

it('fails those that shared it, and lets the next go on', async () => {
  const { begun, passed, pass, settled } = desk();
  pass('a');
  pass('b');
  begun[0]?.reject(new Error('late'));
  await settled();
  begun[1]?.resolve();
  await settled();
  expect(passed).toEqual(['a no', 'b']);
});

it('has half of the time, so that who waits for two has no more than all of it', () => {
  const { begun, pass } = desk();
  pass('a');
  expect(begun[0]?.deadlineMs).toBe(500);
});
