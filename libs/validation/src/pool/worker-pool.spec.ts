import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { buildWorker } from '../testing/build-worker.js';
import { type PoolLimits, type PoolResult, type PoolTask, WorkerPool } from './worker-pool.js';

const LIMITS: PoolLimits = {
  workers: 1,
  memoryMb: 128,
  compileDeadlineMs: 10_000,
  validateDeadlineMs: 400,
  queueLimit: 4,
  queueDeadlineMs: 60_000,
};

/** Takes for ever on `EVIL`, no time on anything else. */
const SLOW = '{"pattern":"^(?=(a+)+$)a"}';
const EVIL = JSON.stringify(`${'a'.repeat(60)}b`);

/** Takes some megabytes when it is compiled; seven of them take more than 24, and we take nine. */
const WIDE = JSON.stringify({
  properties: Object.fromEntries(
    Array.from({ length: 2_000 }, (_, at) => [`p${at}`, { type: 'string', maxLength: at }]),
  ),
});

const MANY = 9;

const open: WorkerPool[] = [];

function pool(limits: Partial<PoolLimits> = {}): WorkerPool {
  const created = new WorkerPool({ ...LIMITS, ...limits });
  open.push(created);
  return created;
}

function slow(document = EVIL): PoolTask {
  return { hash: 'slow', schema: SLOW, document };
}

function numbers(hash: string, document?: string): PoolTask {
  const task = { hash, schema: '{"type":"number"}' };
  return document === undefined ? task : { ...task, document };
}

beforeAll(buildWorker, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

describe('WorkerPool', () => {
  it('compiles, validates, and refuses', async () => {
    const using = pool();
    expect(await using.run(numbers('n'))).toEqual({ kind: 'compiled' });
    expect(await using.run(numbers('n', '1'))).toEqual({ kind: 'valid' });
    expect(await using.run(numbers('m', '"a"'))).toEqual({
      kind: 'invalid',
      violations: [{ pointer: '', keyword: 'type', message: 'must be number' }],
    });
    expect(await using.run({ hash: 'bad', schema: '{"type":7}' })).toMatchObject({
      kind: 'refused',
      problem: { code: 'schema-invalid' },
    });
  });

  it('sends a schema once, until it is forgotten or displaced', async () => {
    const using = pool();
    await using.run(numbers('n'));
    const broken = { hash: 'n', schema: 'not read', document: '1' };
    expect(await using.run(broken)).toEqual({ kind: 'valid' });
    for (let other = 0; other < 64; other += 1) await using.run(numbers(`other ${other}`));
    expect(await using.run(numbers('n', '1'))).toEqual({ kind: 'valid' });
    using.forget(['n']);
    await expect(using.run(broken)).rejects.toThrow('a validation worker failed');
    expect(await using.run(numbers('n', '1'))).toEqual({ kind: 'valid' });
  });

  it('cuts off what takes too long and nothing else', async () => {
    const using = pool();
    const order: string[] = [];
    const named = (name: string, task: PoolTask): Promise<PoolResult> =>
      using.run(task).finally(() => order.push(name));
    const [cut, after, second, last] = await Promise.all([
      named('cut', slow()),
      named('after', numbers('n', '1')),
      named('second', slow()),
      named('last', slow('"a"')),
    ]);
    expect(cut).toMatchObject({ kind: 'cut-off', step: 'validate', reason: 'deadline' });
    expect(after).toEqual({ kind: 'valid' });
    expect(second).toMatchObject({ kind: 'cut-off' });
    expect(last).toEqual({ kind: 'valid' });
    expect(order).toEqual(['cut', 'after', 'second', 'last']);
  });

  it('keeps a verdict that came before the deadline', async () => {
    const using = pool();
    const schema = { properties: { a: { type: 'string' }, b: JSON.parse(SLOW) as object } };
    const document = `{"a":1,"b":${EVIL}}`;
    const task = { hash: 'x', schema: JSON.stringify(schema), document };
    expect(await using.run(task)).toEqual({
      kind: 'invalid',
      violations: [{ pointer: '/a', keyword: 'type', message: 'must be string' }],
    });
  });

  it('refuses what does not fit the queue, or waits too long in it', async () => {
    const using = pool({ queueLimit: 2, validateDeadlineMs: 60_000, queueDeadlineMs: 200 });
    await using.run({ hash: 'slow', schema: SLOW });
    const running = using.run(slow());
    const waiting = [using.run(numbers('n')), using.run(numbers('n'))];
    const outcomes = Promise.allSettled([running, ...waiting]);
    await expect(using.run(numbers('n'))).rejects.toThrow('too many validations wait');
    await expect(waiting[0]).rejects.toThrow('no worker was free');
    await expect(waiting[1]).rejects.toThrow('no worker was free');
    await using.close();
    expect((await outcomes)[0]).toMatchObject({ reason: { name: 'ValidatorClosedError' } });
  });

  it('runs as many at once as it has workers', async () => {
    const using = pool({ workers: 2, validateDeadlineMs: 60_000 });
    await using.run({ hash: 'slow', schema: SLOW });
    const stuck = using.run(slow()).catch((error: Error) => error.name);
    expect(await using.run(numbers('n', '1'))).toEqual({ kind: 'valid' });
    await using.close();
    expect(await stuck).toBe('ValidatorClosedError');
  });

  /** Compiled by the first worker, and not to be read: another worker fails on it. */
  const ofTheFirst = { hash: 'n', schema: 'not read', document: '1' };

  it('tries again in an empty worker when a crowded one runs out of memory', async () => {
    const using = pool({ memoryMb: 24 });
    await using.run(numbers('n'));
    for (let at = 0; at < MANY; at += 1) {
      expect(await using.run({ hash: `${at}`, schema: WIDE })).toEqual({ kind: 'compiled' });
    }
    await expect(using.run(ofTheFirst)).rejects.toThrow('a validation worker failed');
  }, 120_000);

  it('frees the memory of what is forgotten', async () => {
    const using = pool({ memoryMb: 24 });
    await using.run(numbers('n'));
    for (let at = 0; at < MANY; at += 1) {
      expect(await using.run({ hash: `${at}`, schema: WIDE })).toEqual({ kind: 'compiled' });
      using.forget([`${at}`]);
    }
    expect(await using.run(ofTheFirst)).toEqual({ kind: 'valid' });
  }, 120_000);
});
