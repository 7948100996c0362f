import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse, release, rollout } from '../testing/cli-world.js';

const UNTIL = '2026-12-08T03:00:00.000Z';
const PIN = {
  ...{ ancestor: 'acme', version: 12, until: UNTIL, by: 'ada', at: '2026-12-01T03:00:00.000Z' },
  reason: 'slow in eu',
};
const LINE = `acme/app stays at version 12 of acme until ${UNTIL}, by ada (slow in eu)`;
const BELOW = {
  count: 5,
  addresses: ['a', 'b', 'c', 'd', 'e'].map((name) => ({
    ...{ address: `acme/${name}`, version: 12, until: UNTIL },
  })),
};
const BELOW_LINE = `5 addresses below stay, whatever is released here: ${['a', 'b', 'c']
  .map((name) => `acme/${name} at version 12 until ${UNTIL}`)
  .join(', ')} and 2 more`;

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
  world.answers.set('GET /v1/release/acme/app', release(1, { releaseVersion: 6 }));
  world.answers.set('POST /v1/release/acme/app', release(1, { pins: [PIN] }));
});
afterEach(() => world.stop());

const pawl = (words: string) => `PAWL_URL=${world.env['PAWL_URL']} pawl ${words}`;
const sent = (): unknown =>
  JSON.parse(world.requests.findLast(({ line }) => line.startsWith('POST'))?.body ?? 'null');
const pin = (...args: string[]) =>
  world.pawl('pin', 'acme/app', '--layer', 'acme', '--reason', 'slow in eu', ...args);

describe('pawl pin', () => {
  it('says what stays, and how it ends', async () => {
    const { code, out } = await pin('--to', '12', '--for', '7d', '--expect-release', '6');
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      LINE,
      `watch it arrive: ${pawl('status acme/app --watch')}`,
      `end it: ${pawl('unpin acme/app --layer acme')}`,
      '',
    ]);
    expect(sent()).toEqual({
      ...{ action: 'pin', ancestor: 'acme', reason: 'slow in eu', targetVersion: 12 },
      ...{ expireMs: 604_800_000, expectedReleaseVersion: 6 },
    });
    await pin('--until', '2026-12-08T04:00+01:00');
    expect(sent()).toMatchObject({ until: UNTIL });
  });

  it('needs one end, a reason and a layer', async () => {
    for (const args of [[], ['--for', '7d', '--until', UNTIL], ['--for', '100d']]) {
      expect((await pin(...args)).code, args.join(' ')).toBe(2);
    }
    expect((await world.pawl('pin', 'acme/app', '--layer', 'acme', '--for', '1d')).code).toBe(2);
    expect((await world.pawl('pin', 'acme/app', '--reason', 'x', '--for', '1d')).code).toBe(2);
    for (const time of ['59s', '31d', '7']) {
      const { code, err } = await pin('--for', time);
      expect([code, err], time).toEqual([2, expect.stringContaining('a pin is for 1m to 30d')]);
    }
    expect(world.requests).toEqual([]);
  });

  it('says that nothing changed, and what to do about a refusal', async () => {
    world.answers.set('GET /v1/release/acme/app', release(1, { pins: [PIN] }));
    expect((await pin('--for', '7d')).out).toBe(`nothing changed: ${LINE}\n`);
    world.answers.set('POST /v1/release/acme/app', refuse('frozen', 'acme is frozen: the sale'));
    expect((await pin('--for', '7d')).err).toContain('--freeze-exception');
    const unwritten = 'there is no definition at acme/app: put {} there first';
    world.answers.set('POST /v1/release/acme/app', refuse('not-found', unwritten));
    expect((await pin('--for', '7d')).err).toContain(
      `write it: echo '{}' | ${pawl('config put acme/app -f -')}\nwhat is known: ${pawl('scopes')}\n`,
    );
  });
});

describe('pawl unpin', () => {
  it('says what is so no more', async () => {
    world.answers.set('POST /v1/release/acme/app', release(1));
    const { out } = await world.pawl('unpin', 'acme/app', '--layer', 'acme', '--reason', 'well');
    expect(out).toContain('acme/app is no longer pinned to a version of acme\nwatch it arrive');
    expect(sent()).toEqual({ action: 'unpin', ancestor: 'acme', reason: 'well' });
    world.answers.set('GET /v1/release/acme/app', release(1));
    expect((await world.pawl('unpin', 'acme/app', '--layer', 'acme')).out).toBe(
      'nothing changed: acme/app is not pinned to a version of acme\n',
    );
  });
});

describe('what is pinned', () => {
  it('is told by status, with why it is overdue', async () => {
    const pins = [{ ...PIN, pinnedAt: 'acme/app', overdue: 'frozen: the sale' }];
    world.answers.set(
      'GET /v1/rollout/acme/app',
      json({ ...rollout(1, 4), pins, pinnedBelow: BELOW }),
    );
    const { out } = await world.pawl('status', 'acme/app');
    expect(out).toContain(`${LINE}; overdue: frozen: the sale\nend it: ${pawl('unpin acme/app')}`);
    expect(out).toContain(BELOW_LINE);
  });

  it('is told above it too where it could not end in time, before the others', async () => {
    const addresses = BELOW.addresses.map((one) =>
      one.address === 'acme/e' ? { ...one, overdue: 'frozen: the\nsale' } : one,
    );
    const pinnedBelow = { ...BELOW, addresses };
    world.answers.set('GET /v1/rollout/acme/app', json({ ...rollout(1, 4), pinnedBelow }));
    const { out } = await world.pawl('status', 'acme/app');
    expect(out).toContain(
      `here: acme/e at version 12 until ${UNTIL} (overdue: frozen: the sale), acme/a at version 12`,
    );
  });

  it('is told by whatever is done to the layer', async () => {
    world.answers.set('POST /v1/release/acme/app', release(2, { pinnedBelow: BELOW }));
    expect((await world.pawl('promote', 'acme/app')).out).toContain(BELOW_LINE);
  });

  it('is told by explain, and by the history', async () => {
    const view = {
      ...{ address: 'acme/app', snapshotVersion: 1, document: { a: 1 }, hash: 'a'.repeat(64) },
      ...{ pins: [{ ...PIN, pinnedAt: 'acme/app' }] },
      explain: { '/a': { address: 'acme', version: 12, author: 'ada' } },
    };
    world.answers.set('GET /v1/effective/acme/app?explain=true', json(view));
    expect((await world.pawl('explain', 'acme/app')).err).toBe(`note: ${LINE}\n`);
    const item = {
      ...{ at: UNTIL, author: 'ada', kind: 'release', action: 'pin', releaseVersion: 2 },
      ...{ message: `acme at version 12 until ${UNTIL}`, reason: 'slow in eu' },
    };
    world.answers.set('GET /v1/history/acme/app?limit=20', json({ items: [item] }));
    const { out } = await world.pawl('config', 'history', 'acme/app');
    expect(out).toMatch(
      / VERSION  RELEASE VERSION  WHY\n.* -        2                acme at version 12 /,
    );
    expect(out).toContain(`acme at version 12 until ${UNTIL}: slow in eu`);
    world.answers.set('GET /v1/history/acme/app?limit=20', json({ items: [item], next: '7' }));
    const { err } = await world.pawl('config', 'history', 'acme/app');
    expect(err).toBe('there are more: a higher --limit shows them\n');
  });
});
