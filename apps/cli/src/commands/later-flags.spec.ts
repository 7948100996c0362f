import type { QueuedView } from '@pawl/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse, release, rollout, stream } from '../testing/cli-world.js';

const AT = '2026-12-01T03:00:00.000Z';
const QUEUED: QueuedView = {
  ...{ id: 'r9', targetVersion: 4, strategy: 'canary', by: 'ann', queuedAt: AT },
  ...{ reason: 'the sale', waitsFor: 'its time', at: AT },
};

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
  world.answers.set('GET /v1/release/acme/app', release(1, { releaseVersion: 6 }));
  world.answers.set('GET /v1/config/acme/app', json({ version: 4 }));
  world.answers.set('POST /v1/release/acme/app', release(1, { queued: QUEUED }));
});
afterEach(() => world.stop());

const promote = (...args: string[]) => world.pawl('promote', 'acme/app', ...args);
const command = (words: string) => `PAWL_URL=${world.env['PAWL_URL']} pawl ${words}`;
const sent = (): unknown => {
  const written = world.requests.filter(({ line }) => line.startsWith('POST'));
  return JSON.parse(written.at(-1)?.body ?? 'null');
};

describe('pawl promote, later', () => {
  it.each([
    [['--queue'], { conflict: 'queue' }],
    [['--supersede'], { conflict: 'supersede' }],
    [['--queue', '--supersede'], { conflict: 'requeue' }],
    [['--at', '2026-12-01T03:00Z'], { at: AT }],
    [['--at', '2026-12-01 04:00:00+01:00'], { at: AT }],
    [['--at', AT, '--queue'], { at: AT, conflict: 'queue' }],
    [['--at', AT, '--supersede'], { at: AT, conflict: 'requeue' }],
  ])('%j sends %j', async (args, request) => {
    expect((await promote(...args)).code).toBe(0);
    expect(sent()).toEqual({ action: 'promote', ...request });
  });

  it('counts from now', async () => {
    const before = Date.now();
    await promote('--in', '2h');
    const { at } = sent() as { at: string };
    expect(Date.parse(at)).toBeGreaterThanOrEqual(before + 7_200_000);
    expect(Date.parse(at)).toBeLessThanOrEqual(Date.now() + 7_200_000);
  });

  it.each([
    ['--at', '2026-12-01T03:00'],
    ['--at', '2026-13-01T03:00Z'],
    ['--at', 'tomorrow'],
    ['--in', '0h'],
    ['--in', '91d'],
    ['--in', '2'],
    ['--at', AT, '--in', '2h'],
  ])('does not take %s %s', async (...args) => {
    const { code, err } = await promote(...args);
    expect(code).toBe(2);
    expect(err).not.toBe('');
    expect(world.requests).toEqual([]);
  });

  it('says what begins when, and how it is dropped', async () => {
    expect((await promote('--at', AT)).out.split('\n')).toEqual([
      'acme/app is idle at version 1 (release 7)',
      `version 4 by canary is to begin at ${AT}, asked for by ann (the sale); it waits for its time`,
      `watch it: ${command('status acme/app --watch')}`,
      `drop it: ${command('cancel acme/app')}`,
      '',
    ]);
    world.answers.set('POST /v1/release/acme/app', release(1));
    expect((await world.pawl('cancel', 'acme/app')).out).toBe(
      'acme/app is idle at version 1 (release 7)\n',
    );
    expect(sent()).toEqual({ action: 'cancel' });
  });

  it('says what can be done where something is under way, or queued', async () => {
    world.answers.set('POST /v1/release/acme/app', refuse('release-in-flight', 'rolling'));
    expect((await promote()).err).toContain('begin after it: the same with --queue');
    expect((await promote('--queue')).err).not.toContain('the same with --queue');
    world.answers.set('POST /v1/release/acme/app', refuse('release-queued', 'one is'));
    const { err } = await promote('--queue');
    expect(err).toContain(`drop it: ${command('cancel acme/app')}`);
    expect(err).toContain('take its place: the same with --supersede');
  });
});

it.each([
  ['its time', 'its time', 'it waits for its time'],
  ['an end', 'the end of release r1 of version 3, which is rolling', 'it waits for the end of'],
  ['a freeze', 'frozen: audit', 'it waits: frozen: audit'],
  ['nothing', 'it begins', 'it begins'],
])('what is queued says in a sentence why it has not begun: %s', async (_what, waitsFor, said) => {
  const queued = { ...QUEUED, waitsFor };
  world.answers.set('POST /v1/release/acme/app', release(1, { queued }));
  expect((await promote('--queue')).out).toContain(`(the sale); ${said}`);
});

describe('what is dropped', () => {
  it('is told with whatever drops it', async () => {
    const { waitsFor: _, ...dropped } = QUEUED;
    world.answers.set(
      'GET /v1/release/acme/app',
      release(1, { queued: QUEUED, releaseVersion: 6 }),
    );
    world.answers.set('POST /v1/release/acme/app', release(1, { dropped }));
    const line = `version 4 by canary, which was to begin at ${AT}, is dropped; ann had asked for it (the sale)`;
    expect((await world.pawl('cancel', 'acme/app')).out.split('\n')).toEqual([
      ...['acme/app is idle at version 1 (release 7)', line, ''],
    ]);
    expect((await world.pawl('abort', 'acme/app')).out).toContain(line);
    const { at: _at, reason: _why, ...behind } = { ...dropped, strategy: 'all-at-once' };
    world.answers.set('POST /v1/release/acme/app', release(1, { dropped: behind }));
    expect((await world.pawl('cancel', 'acme/app')).out).toContain(
      '\nversion 4 by all-at-once, which was queued, is dropped; ann had asked for it\n',
    );
  });
});

describe('what begins later', () => {
  it('is shown by status', async () => {
    const view = {
      ...{ address: 'acme/app', published: null, rejections: [], converged: true },
      consumers: { live: 0, applied: 0, lagging: 0, rejected: 0, byVersion: {} },
      propagationMs: { p50: null, p95: null, p99: null, max: null },
      queued: QUEUED,
    };
    world.answers.set('GET /v1/rollout/acme/app', json(view));
    world.answers.set('GET /v1/config/acme/app', json({ version: 4 }));
    world.answers.set('GET /v1/release/acme/app', release(1, { queued: QUEUED }));
    const { out, err } = await world.pawl('status', 'acme/app');
    expect(out).toContain(`\nversion 4 by canary is to begin at ${AT}, asked for by ann`);
    expect(out).toContain(`\ndrop it: ${command('cancel acme/app')}\n`);
    expect(err).toBe('');
  });

  it('is listed by releases, in a row of its own', async () => {
    const staged = {
      ...{ id: 'r1', address: 'acme/app', state: 'rolling', strategy: 'canary', candidate: 3 },
      ...{ stableVersion: 2, stage: 0, stages: 3, releaseVersion: 7 },
    };
    const { at: _, ...behind } = QUEUED;
    const alone = { ...staged, id: 'r9', address: 'acme/b', state: 'queued', candidate: 4 };
    const items = [
      { ...staged, queued: behind },
      { ...alone, queued: QUEUED },
    ];
    world.answers.set('GET /v1/releases?limit=1000', json({ items }));
    const { out } = await world.pawl('releases');
    expect(out.split('\n').slice(0, 4)).toEqual([
      'RELEASE  ADDRESS   STATE    WHAT                 STABLE  STAGE   WHY',
      'r1       acme/app  rolling  version 3 by canary  2       1 of 3',
      'r9       acme/app  queued   version 4 by canary  2               after that, by ann: the sale',
      `r9       acme/b    queued   version 4 by canary  2               at ${AT}, by ann: the sale`,
    ]);
  });

  it('is waited for, until it is dropped', async () => {
    world.answers.set('GET /v1/release/acme/app', release(1));
    const items = [
      { action: 'cancel', version: 4, author: 'bob', reason: 'not today' },
      { action: 'schedule', version: 4, author: 'ann' },
    ];
    world.answers.set('GET /v1/history/acme/app?limit=100', json({ items }));
    const { code, err } = await world.pawl('wait', 'acme/app', '--to', '4', '--timeout', '5s');
    expect(code).toBe(4);
    expect(err).toContain('it was dropped from the queue by bob: not today');
  });

  it('is what a wait waits for, and says it waits for', async () => {
    const frozen = { scope: 'acme', reason: 'audit' };
    const { at: _, ...due } = { ...QUEUED, waitsFor: 'frozen: audit' };
    world.answers.set('GET /v1/effective/acme/app', json({ snapshotVersion: 7 }));
    for (const [queued, more, steps] of [
      [QUEUED, '', []],
      [
        ...[due, '; frozen by acme:release-policy: audit'],
        [
          `end it: ${command('unfreeze acme')}\n`,
          `promote it at once: ${command("promote acme/app --to 4 --strategy canary --supersede --freeze-exception 'why'")}\n`,
        ],
      ],
    ] as const) {
      const holds = more === '' ? {} : { frozen };
      world.answers.set('GET /v1/release/acme/app', release(1, { queued }));
      world.answers.set('GET /v1/rollout/acme/app', stream({ ...rollout(7, 4), queued, ...holds }));
      const { code, err } = await world.pawl('wait', 'acme/app', '--to', '4', '--timeout', '1s');
      const when = queued === due ? 'is queued' : `is to begin at ${AT}`;
      const waits = queued === due ? ': frozen: audit' : ' for its time';
      const what = `version 4 by canary ${when}, asked for by ann (the sale); it waits${waits}`;
      expect([code, err]).toEqual([
        3,
        `note: ${what}\npawl: not in time: ${what}${more}; 4 of 4 live consumers applied snapshot 7\n${steps.join('')}`,
      ]);
    }
  });
});
