import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse } from '../testing/cli-world.js';

const COUNTS = { live: 4, applied: 2, rejected: 1, lagging: 1, lost: 0 };
const NONE = { live: 0, applied: 0, rejected: 0, lagging: 0, lost: 0 };
const ITEM = {
  ...{ id: 'r1', address: 'acme/app', state: 'rolling', strategy: 'canary', candidate: 3 },
  ...{ stableVersion: 2, stage: 0, stages: 3, releaseVersion: 7 },
};
const PAUSED = { ...ITEM, id: 'r2', address: 'zoo', state: 'paused', reason: 'wait\nfor ann' };
const SUMMARY = {
  ...ITEM,
  candidates: COUNTS,
  addresses: [
    { address: 'acme/app/x', candidates: COUNTS },
    { address: 'acme/app', candidates: NONE },
  ],
  byWorkload: [{ workload: 'checkout', ...COUNTS }],
  rejections: [{ reason: 'too high', count: 1 }],
  bakeLeftMs: 90_000,
  reason: '2 of 4 have applied it',
};

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
});
afterEach(() => world.stop());

const command = (words: string) => `PAWL_URL=${world.env['PAWL_URL']} pawl ${words}`;

describe('pawl releases', () => {
  it('lists what is under way, over all pages', async () => {
    world.answers.set('GET /v1/releases?limit=1000', json({ items: [ITEM], next: 'acme/app' }));
    const next = 'GET /v1/releases?limit=1000&cursor=acme%2Fapp';
    world.answers.set(next, json({ items: [PAUSED] }));
    const { code, out } = await world.pawl('releases');
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      'RELEASE  ADDRESS   STATE    WHAT                 STABLE  STAGE   WHY',
      'r1       acme/app  rolling  version 3 by canary  2       1 of 3',
      'r2       zoo       paused   version 3 by canary  2       1 of 3  wait for ann',
      `sum one up: ${command('releases RELEASE')}`,
      '',
    ]);
    const asJson = await world.pawl('releases', '-o', 'json');
    expect(JSON.parse(asJson.out)).toEqual({ items: [ITEM, PAUSED] });
  });

  it('lists those in one state, and says that there are none', async () => {
    world.answers.set('GET /v1/releases?state=paused&limit=1000', json({ items: [] }));
    const { out } = await world.pawl('releases', '--state', 'paused');
    expect(out).toBe('nothing is being released in stages, or queued\n');
    expect((await world.pawl('releases', '--state', 'idle')).code).toBe(2);
  });

  it('sums one up', async () => {
    world.answers.set('GET /v1/releases/r1', json(SUMMARY));
    const { code, out } = await world.pawl('releases', 'r1');
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      'acme/app is rolling: version 3 by canary after version 2, stage 1 of 3, 1m 30s left to bake',
      'waits: 2 of 4 have applied it',
      'candidates: 4 live, 2 applied, 1 rejected, 1 lagging, 0 lost',
      '',
      'WORKLOAD  LIVE  APPLIED  REJECTED  LAGGING  LOST',
      'checkout  4     2        1         1        0',
      '',
      'ADDRESS     LIVE  APPLIED  REJECTED  LAGGING  LOST',
      'acme/app/x  4     2        1         1        0',
      '1 more without candidates',
      '',
      'REJECTED  WHY',
      '1         too high',
      '',
      `stop it where it is: ${command('pause acme/app')}`,
      `go on at once: ${command('advance acme/app')}`,
      `take it back: ${command('abort acme/app')}`,
      '',
    ]);
    const asJson = await world.pawl('releases', 'r1', '-o', 'json');
    expect(JSON.parse(asJson.out)).toEqual(SUMMARY);
  });

  it('sums up one that has reached nobody, and one of which not all is listed', async () => {
    const empty = { ...SUMMARY, candidates: NONE, addresses: [], byWorkload: [], rejections: [] };
    const view = { ...empty, state: 'paused', reason: 'wait', more: true };
    world.answers.set('GET /v1/releases/r1', json(view));
    const { out } = await world.pawl('releases', 'r1');
    expect(out).toContain('\npaused: wait\n');
    expect(out).toContain('not all are listed');
    expect(out).not.toContain('WORKLOAD');
  });

  it('says of one that is not found where to look', async () => {
    world.answers.set('GET /v1/releases/r9', refuse('unknown-release', 'look into the history'));
    const { code, err } = await world.pawl('releases', 'r9');
    const pawl = `PAWL_URL=${world.env['PAWL_URL']} pawl`;
    expect([code, err.split('\n').slice(1)]).toEqual([
      1,
      [
        `what is under way: ${pawl} releases`,
        `what has ended: ${pawl} releases --state ended`,
        `what was done: ${pawl} changes --since 1d`,
        '',
      ],
    ]);
    expect(err).toContain('look into the history');
  });
});

describe('pawl releases of what has ended', () => {
  const policyVersion = { address: 'acme:release-policy', version: 4 };
  const AT = '2026-01-02T03:04:05.678Z';
  const ended = {
    ...{ id: 'r1', address: 'acme/app', state: 'ended', outcome: 'aborted', strategy: 'careful' },
    ...{ candidate: 3, stableVersion: 2, stage: 1, stages: 3, releaseVersion: 9 },
    ...{ policyVersion, begunAt: AT, begunBy: 'ann', endedAt: AT, endedBy: 'pawl' },
    reason: '2 of 4\nreject it',
  };
  const asked = {
    ...{ id: 'r0', address: 'zoo', state: 'ended', outcome: 'completed', strategy: 'inline' },
    ...{ candidate: 1, stableVersion: null, stages: 1, releaseVersion: 2, endedAt: AT },
    endedBy: 'bob',
  };

  it('lists it, the last first, since a time where that is said', async () => {
    const items = [ended, asked];
    const first = 'GET /v1/releases?state=ended&limit=100';
    world.answers.set(first, json({ items }));
    const { code, out, err } = await world.pawl('releases', '--state', 'ended');
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n')).toEqual([
      'RELEASE  ADDRESS   OUTCOME    WHAT                  STAGE      ENDED                     BY    WHY',
      `r1       acme/app  aborted    version 3 by careful  2 of 3     ${AT}  pawl  2 of 4 reject it`,
      `r0       zoo       completed  version 1             preflight  ${AT}  bob`,
      `what was done of one: ${command('releases RELEASE')}`,
      '',
    ]);
    const more = json({ items, next: '7' });
    world.answers.set('GET /v1/releases?state=ended&since=1d&limit=2', more);
    const options = ['releases', '--state', 'ended', '--since', '1d', '--limit', '2'];
    expect((await world.pawl(...options)).err).toContain('there are more');
    const asJson = await world.pawl(...options, '-o', 'json');
    expect([JSON.parse(asJson.out), asJson.err]).toEqual([{ items, next: '7' }, '']);
    world.answers.set(first, json({ items: [] }));
    expect((await world.pawl('releases', '--state', 'ended')).out).toBe('nothing has ended\n');
    for (const words of [
      ['--since', '1d'],
      ['--limit', '2', '--state', 'paused'],
    ]) {
      const refused = await world.pawl('releases', ...words);
      expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('--state ended')]);
    }
    const both = await world.pawl('releases', 'r1', '--limit', '2');
    const why = expect.stringContaining('--limit goes with the list') as string;
    expect([both.code, both.err]).toEqual([2, why]);
  });

  it('tells what became of one, and what was done of it in order', async () => {
    const line = { at: AT, kind: 'release', releaseId: 'r1', version: 3 };
    const transitions = [
      {
        ...line,
        author: 'ann',
        action: 'promote',
        releaseVersion: 7,
        message: 'careful: preflight',
      },
      { ...line, author: 'pawl', action: 'abort', releaseVersion: 9, reason: '2 of 4\nreject it' },
    ];
    const view = { ...ended, transitions };
    world.answers.set('GET /v1/releases/r1', json(view));
    const { code, out } = await world.pawl('releases', 'r1');
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      'acme/app: version 3 by careful after version 2 was aborted, at stage 2 of 3',
      `begun: ${AT} by ann, with the strategy of acme:release-policy version 4`,
      `ended: ${AT} by pawl`,
      'why: 2 of 4 reject it',
      '',
      'WHEN                      WHO   WHAT     VERSION  RELEASE VERSION  WHY',
      `${AT}  ann   promote  3        7                careful: preflight`,
      `${AT}  pawl  abort    3        9                2 of 4 reject it`,
      '',
    ]);
    const asJson = await world.pawl('releases', 'r1', '-o', 'json');
    expect(JSON.parse(asJson.out)).toEqual(view);
    world.answers.set('GET /v1/releases/r0', json({ ...asked, transitions: [], more: true }));
    const other = await world.pawl('releases', 'r0');
    expect(other.out).toContain('after nothing reached everybody, in its preflight\nended:');
    expect(other.out).toContain('there was more before that');
  });

  it('tells of one that is under way when it began, where that is known', async () => {
    const begun = { begunAt: AT, begunBy: 'ann' };
    world.answers.set('GET /v1/releases/r1', json({ ...SUMMARY, ...begun }));
    expect((await world.pawl('releases', 'r1')).out).toContain(`\nbegun: ${AT} by ann\n`);
  });
});

describe('pawl changes', () => {
  const at = '2026-01-02T03:04:05.678Z';
  const items = [
    { address: 'acme', at, author: 'ann', kind: 'release', action: 'promote', releaseVersion: 2 },
    { address: 'acme', at, author: 'ann', kind: 'definition', version: 2, message: 'why\nnot' },
  ];

  it('tells who did what where, of the last hour unless told', async () => {
    world.answers.set('GET /v1/changes?since=1h&limit=100', json({ items }));
    const { code, out, err } = await world.pawl('changes');
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n')).toEqual([
      'WHEN                      WHO  WHERE  WHAT     VERSION  RELEASE VERSION  WHY',
      `${at}  ann  acme   promote  -        2`,
      `${at}  ann  acme   write    2        -                why not`,
      '',
    ]);
  });

  it('says that there are more, or none', async () => {
    world.answers.set('GET /v1/changes?since=7d&limit=2', json({ items, next: '9' }));
    expect((await world.pawl('changes', '--since', '7d', '--limit', '2')).err).toContain('more');
    world.answers.set('GET /v1/changes?since=1h&limit=100', json({ items: [] }));
    expect((await world.pawl('changes')).out).toBe('nothing has changed since 1h\n');
  });
});
