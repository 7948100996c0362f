import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json } from '../testing/cli-world.js';

const ORIGIN = { address: 'acme/app', version: 3, author: 'ada' };
const VIEW = {
  document: {
    limits: { maxItems: 50, maxTotal: 9 },
    'a.b': { 'c/d~e': 1 },
    'back\\slash': 2,
    '': 4,
  },
  explain: Object.fromEntries(
    ['/limits/maxItems', '/limits/maxTotal', '/a.b/c~1d~0e', '/back\\slash', '/limitsToo', '/'].map(
      (pointer) => [pointer, ORIGIN],
    ),
  ),
};

describe('pawl explain', () => {
  let world: CliWorld;

  beforeEach(async () => {
    world = await CliWorld.start();
    world.answers.set('GET /v1/effective/acme/app?explain=true', json(VIEW));
  });

  afterEach(() => world.stop());

  it.each([
    ['/limits/maxItems', ['/limits/maxItems']],
    ['limits.maxItems', ['/limits/maxItems']],
    ['/limits', ['/limits/maxItems', '/limits/maxTotal']],
    ['limits', ['/limits/maxItems', '/limits/maxTotal']],
    ['/a.b/c~1d~0e', ['/a.b/c~1d~0e']],
    ['a\\.b.c/d~e', ['/a.b/c~1d~0e']],
    ['back\\\\slash', ['/back\\slash']],
    ['/', ['/']],
    ['', Object.keys(VIEW.explain)],
  ])('takes pointers and paths: %s', async (where, pointers) => {
    const { code, out } = await world.pawl('explain', 'acme/app', where, '-o', 'json');
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(out) as object)).toEqual(pointers);
  });

  it('shows the value that is set there', async () => {
    const { out } = await world.pawl('explain', 'acme/app', 'limits.maxItems');
    expect(out).toMatch(/\/limits\/maxItems +50 +acme\/app +3 +ada\n$/);
  });

  it.each([
    ['limits.nothing', '/limits/nothing'],
    ['limits.max', '/limits/max'],
    ['a.b', '/a/b'],
    ['limits.maxItems.', '/limits/maxItems/'],
    ['/limits.maxItems', '/limits.maxItems'],
  ])('names the pointer where nothing is set: %s', async (where, pointer) => {
    expect(await world.pawl('explain', 'acme/app', where)).toEqual({
      code: 1,
      out: '',
      err: `pawl: nothing is set at ${pointer} of acme/app\n`,
    });
  });

  it('reads as a consumer, and says of which release that is a candidate', async () => {
    const path = 'GET /v1/effective/acme/app?explain=true&consumerId=host-1';
    world.answers.set(path, json(VIEW));
    world.answers.set(`${path}&workload=checkout`, json({ ...VIEW, cohort: 'r1+r2' }));
    const args = ['explain', 'acme/app', '/limits', '--consumer', 'host-1'];
    const stable = await world.pawl(...args);
    expect([stable.code, stable.err]).toEqual([0, 'note: host-1 is a candidate of no release\n']);
    const candidate = await world.pawl(...args, '--workload', 'checkout');
    expect(candidate.out).toBe(stable.out);
    expect(candidate.err).toBe('note: host-1 is a candidate of r1 and r2\n');
    expect((await world.pawl(...args, '-o', 'json')).err).toBe('');
  });

  it('tells programs too what is pinned, and of which releases a consumer is a candidate', async () => {
    const pins = [{ ancestor: 'acme', pinnedAt: 'acme/app', version: 3, until: 'later' }];
    const path = 'GET /v1/effective/acme/app?explain=true&consumerId=host-1';
    world.answers.set(path, json({ ...VIEW, pins, cohort: 'r1' }));
    const args = ['explain', 'acme/app', '/limits/maxItems', '--consumer', 'host-1'];
    const { out } = await world.pawl(...args, '-o', 'json');
    expect(JSON.parse(out)).toEqual({ '/limits/maxItems': ORIGIN, pins, cohort: 'r1' });
  });

  it('needs the consumer for a workload', async () => {
    const { code, err } = await world.pawl('explain', 'acme/app', '--workload', 'checkout');
    expect([code, err]).toEqual([2, 'pawl: --workload needs the consumer: --consumer <id>\n']);
    expect(world.requests).toEqual([]);
  });

  it('tells of both in its help', async () => {
    const { out } = await world.pawl('explain', '--help');
    expect(out).toContain('limits.maxItems');
    expect(out).toContain('/limits/maxItems');
  });
});
