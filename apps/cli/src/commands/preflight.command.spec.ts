import type { PreflightView } from '@pawl/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse } from '../testing/cli-world.js';

const POST = 'POST /v1/preflight/acme/app';
const COUNTS = { accepted: 0, rejected: 0, cannotSay: 0, silent: 0 };
const CONSUMER = { address: 'acme/app', workload: 'app', incarnation: 'i' };

const GOOD: PreflightView = {
  ...{ id: 'p1', address: 'acme/app', version: 4, valid: true },
  addresses: [{ address: 'acme/app', changed: true, consumers: 2 }],
  consumers: { asked: 2, ...COUNTS, accepted: 2 },
  byBuild: [{ workload: 'app', build: '1.0', zone: 'eu-1', ...COUNTS, accepted: 2 }],
  ...{ rejections: [], reasons: [], unsure: [] },
};
const BAD: PreflightView = {
  ...GOOD,
  valid: false,
  addresses: [...GOOD.addresses, { address: 'acme/app/eu', changed: true, consumers: 1 }],
  consumers: { asked: 4, accepted: 1, rejected: 1, cannotSay: 1, silent: 1 },
  byBuild: [
    { workload: 'app', build: '1.0', ...COUNTS, accepted: 1 },
    { workload: 'app', build: '2.0', ...COUNTS, rejected: 1, cannotSay: 1, silent: 1 },
  ],
  rejections: [
    { ...CONSUMER, consumerId: 'c2', build: '2.0', pointer: '/max', reason: 'too\nmany' },
  ],
  reasons: [{ reason: 'too\nmany', count: 1 }],
  unsure: [
    { ...CONSUMER, consumerId: 'c3', build: '2.0', answer: 'cannot-say', reason: 'no time' },
    { ...CONSUMER, consumerId: 'c4', build: '2.0', answer: 'silent' },
  ],
};

describe('pawl preflight', () => {
  let world: CliWorld;

  beforeEach(async () => {
    world = await CliWorld.start();
  });
  afterEach(() => world.stop());

  it('ends with 0 when all would take it', async () => {
    world.answers.set(POST, json(GOOD));
    const { code, out, err } = await world.pawl('preflight', 'acme/app');
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('acme/app version 4: 2 of 2 live consumers would take it\n');
    expect(out).toMatch(/\napp +1\.0 +eu-1 +2 +0 +0 +0\n/);
    expect(world.requests.at(-1)?.body).toBe('{}');
  });

  it('asks as it is told', async () => {
    world.answers.set(POST, json(GOOD));
    await world.pawl(
      ...['preflight', 'acme/app', '--to', '3', '--workload', 'till', '--timeout', '10s'],
    );
    expect(JSON.parse(world.requests.at(-1)?.body ?? '')).toEqual({
      ...{ targetVersion: 3, workload: 'till', timeoutMs: 10_000 },
    });
  });

  it('ends with 4 and says who would not, where, and why', async () => {
    world.answers.set(POST, json(BAD));
    const { code, out, err } = await world.pawl('preflight', 'acme/app');
    expect(code).toBe(4);
    expect(out).toContain('acme/app version 4 and 1 below: 1 of 4 live consumers would take it\n');
    expect(out).toMatch(/\napp +c2 +2\.0 +acme\/app +\/max +too many\n/);
    expect(out).toMatch(/\napp +c3 +2\.0 +acme\/app +cannot-say +no time\n/);
    expect(out).toMatch(/\napp +c4 +2\.0 +acme\/app +silent +-\n/);
    expect(err).toBe(
      'pawl: not all would take it: 1 would reject it, 1 cannot say, 1 did not answer; nothing was changed\n',
    );
  });

  it('says that nobody was asked', async () => {
    const nobody = { ...GOOD, valid: false, byBuild: [], consumers: { asked: 0, ...COUNTS } };
    world.answers.set(POST, json(nobody));
    const { code, err } = await world.pawl('preflight', 'acme/app');
    expect([code, err]).toEqual([
      4,
      'pawl: nobody was asked: no live consumer is there who would read something else; nothing was changed\n',
    ]);
  });

  it('says that nothing changes, which is no failure', async () => {
    const addresses = [{ address: 'acme/app', changed: false, consumers: 0 }];
    const same = { ...GOOD, addresses, byBuild: [], consumers: { asked: 0, ...COUNTS } };
    world.answers.set(POST, json(same));
    expect(await world.pawl('preflight', 'acme/app')).toEqual({
      ...{ code: 0, out: 'acme/app version 4: nothing changes\n', err: '' },
    });
  });

  it('prints the answer as JSON too, with the same exit code', async () => {
    world.answers.set(POST, json(BAD));
    const { code, out } = await world.pawl('preflight', 'acme/app', '-o', 'json');
    expect(code).toBe(4);
    expect(JSON.parse(out)).toEqual(BAD);
  });

  it('says when the answers are about something else by now', async () => {
    world.answers.set(POST, json({ ...GOOD, valid: false, void: true }));
    const { code, err } = await world.pawl('preflight', 'acme/app');
    expect(code).toBe(4);
    expect(err).toContain('ask again');
  });

  it('names the most frequent reasons where more reject it than are shown', async () => {
    const rejections = Array.from({ length: 21 }, (_, n) => ({
      ...CONSUMER,
      ...{ consumerId: `c${n}`, reason: 'too many' },
    }));
    const reasons = [{ reason: 'too many', count: 5_000 }];
    const unsure = rejections.map((one) => ({ ...one, answer: 'silent' as const }));
    world.answers.set(POST, json({ ...BAD, rejections, reasons, unsure }));
    const { out } = await world.pawl('preflight', 'acme/app');
    expect(out).toMatch(/\n5000 +too many\n/);
    expect(out).toContain('… and 1 more\n');
    expect(out.match(/\bc20\b/g)).toBeNull();
  });

  it.each([['199ms'], ['31s'], ['3']])('refuses to wait for %s', async (timeout) => {
    expect((await world.pawl('preflight', 'acme/app', '--timeout', timeout)).code).toBe(2);
  });

  it('ends with 1 where it is refused', async () => {
    world.answers.set(POST, refuse('schema-violation', 'no'));
    const { code, err } = await world.pawl('preflight', 'acme/app');
    expect(code).toBe(1);
    expect(err).toContain('no');
  });
});
