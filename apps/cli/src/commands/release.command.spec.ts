import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliWorld, json, refuse, release, releaseInStages } from '../testing/cli-world.js';

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.start();
  world.answers.set('GET /v1/release/acme/app', release(1, { releaseVersion: 6 }));
  world.answers.set('POST /v1/release/acme/app', release(2));
});

afterEach(() => world.stop());

const hint = () =>
  `watch it arrive: PAWL_URL=${world.env['PAWL_URL']} pawl status acme/app --watch\n`;

describe('pawl promote, block, …', () => {
  it('shows where consumers can be watched, after what they may notice', async () => {
    expect(await world.pawl('promote', 'acme/app')).toMatchObject({
      code: 0,
      out: `acme/app is idle at version 2 (release 7)\n${hint()}`,
    });
    expect((await world.pawl('rollback', 'acme/app', '--to', '1')).out).toContain(hint());
    world.answers.set('POST /v1/release/acme/app', release(2, { blockedVersions: [3, 5] }));
    expect((await world.pawl('block', 'acme/app', '--to', '3')).out).toBe(
      'acme/app is idle at version 2 (release 7, blocked: 3, 5)\n',
    );
    expect((await world.pawl('unblock', 'acme/app', '--to', '4')).out).not.toContain('watch');
  });

  it('goes back to the last good version where none is named', async () => {
    const { code, out } = await world.pawl('rollback', 'acme/app');
    expect([code, out]).toEqual([0, `acme/app is idle at version 2 (release 7)\n${hint()}`]);
    const posted = world.requests.find(({ line }) => line.startsWith('POST'));
    expect(JSON.parse(posted?.body ?? 'null')).toEqual({ action: 'rollback' });
  });

  it('says that nothing changed', async () => {
    world.answers.set('GET /v1/release/acme/app', release(2));
    expect((await world.pawl('promote', 'acme/app')).out).toBe(
      'nothing changed: acme/app is idle at version 2 (release 7)\n',
    );
  });

  it('lets the transition say why it is refused', async () => {
    world.answers.delete('GET /v1/release/acme/app');
    world.answers.set('POST /v1/release/acme/app', refuse('use-rollback', 'that goes back'));
    const { code, err } = await world.pawl('promote', 'acme/app', '--to', '1');
    expect(code).toBe(1);
    expect(err).toContain('that goes back');
  });
});

describe('pawl promote in stages', () => {
  const promote = (...args: string[]) => world.pawl('promote', 'acme/app', ...args);
  const command = (words: string) => `PAWL_URL=${world.env['PAWL_URL']} pawl ${words}`;
  const sent = (): unknown => {
    const written = world.requests.filter(({ line }) => line.startsWith('POST'));
    return JSON.parse(written.at(-1)?.body ?? 'null');
  };

  beforeEach(() => {
    world.answers.set('POST /v1/release/acme/app', releaseInStages({ stage: 0 }));
  });

  it('says what it reaches, and what can be done then', async () => {
    const { code, out, err } = await promote('--strategy', 'canary');
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n')).toEqual([
      'acme/app is rolling at version 2 (release 7): version 3 by canary, stage 1 of 3 (1 of each workload)',
      `watch it: ${command('status acme/app --watch')}`,
      `stop it where it is: ${command('pause acme/app')}`,
      `go on at once: ${command('advance acme/app')}`,
      `take it back: ${command('abort acme/app')}`,
      `wait for its end: ${command('wait acme/app --to 3 --min 0 --timeout 25m')}`,
      '',
    ]);
    expect(sent()).toEqual({ action: 'promote', strategy: 'canary' });
  });

  it('approves the stage that was seen, and no other', async () => {
    world.answers.set('GET /v1/release/acme/app', releaseInStages({ stage: 1 }));
    expect((await world.pawl('approve', 'acme/app')).code).toBe(0);
    expect(sent()).toEqual({ action: 'approve', stage: 1, expectedReleaseVersion: 7 });
    await world.pawl('approve', 'acme/app', '--stage', '1', '--expect-release', '5');
    expect(sent()).toEqual({ action: 'approve', stage: 0, expectedReleaseVersion: 5 });
    expect((await world.pawl('approve', 'acme/app', '--stage', '0')).code).toBe(2);
    world.answers.delete('GET /v1/release/acme/app');
    await world.pawl('approve', 'acme/app');
    expect(sent()).toEqual({ action: 'approve' });
  });

  it('prints what the control plane answers, for machines', async () => {
    const { out } = await promote('--strategy', 'canary', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({ state: 'rolling', candidate: 3, staged: { stage: 0 } });
  });

  it.each([
    [['--strategy', 'all-at-once'], 'all-at-once'],
    [
      ['--strategy', 'all-at-once', '--final-bake', '5m'],
      { preset: 'all-at-once', finalBakeMs: 300_000 },
    ],
    [
      ['--strategy', 'canary', '--percent', '25%', '--bake', '90s', '--final-bake', '1h'],
      { preset: 'canary', percent: 25, bakeMs: 90_000, finalBakeMs: 3_600_000 },
    ],
    [['--strategy', 'linear', '--step', '12.5'], { preset: 'linear', stepPercent: 12.5 }],
    [
      ['--strategy', 'exponential', '--start', '0.5%', '--factor', '2', '--bake', '0s'],
      { preset: 'exponential', startPercent: 0.5, factor: 2, bakeMs: 0 },
    ],
  ])('sends the strategy of %j', async (args, strategy) => {
    expect((await promote('--to', '3', ...args)).code).toBe(0);
    expect(sent()).toEqual({ action: 'promote', targetVersion: 3, strategy });
  });

  it.each([
    ['stages.json', '{"stages":[{"count":1,"bakeMs":60000},{"percent":100}]}'],
    ['stages.yaml', 'stages:\n- count: 1\n  bakeMs: 60000\n- percent: 100\n'],
  ])('sends a strategy from %s', async (name, text) => {
    const file = await world.file(name, text);
    expect((await promote('--strategy-file', file)).code).toBe(0);
    const stages = [{ count: 1, bakeMs: 60_000 }, { percent: 100 }];
    expect(sent()).toEqual({ action: 'promote', strategy: { stages } });
  });

  it.each([
    ['--percent', '10', /^pawl: --percent needs a strategy: --strategy canary\n$/],
    ['--bake', '5m', /--bake needs a strategy: --strategy canary or linear or exponential\n$/],
    ['--strategy slow --bake', '5m', /slow takes no --bake, which is for canary, linear, exponent/],
    ['--strategy canary --step', '10', /canary takes no --step, which is for linear\n$/],
    [
      '--strategy all-at-once --bake',
      '5m',
      /all-at-once takes no --bake, which is for canary, lin/,
    ],
    ['--strategy canary --percent', '0', /a share is above 0% and at most 100%/],
    ['--strategy canary --percent', '101%', /a share is above 0% and at most 100%/],
    ['--strategy exponential --factor', '1', /a factor is above 1 and at most 100/],
    ['--strategy canary --bake', '5', /a duration is a number with ms, s, m or h/],
    ['--strategy canary --final-bake', '200h', /a bake is at most 168h/],
    [
      '--strategy canary --strategy-file',
      'x',
      /^pawl: --strategy does not go with --strategy-file/,
    ],
    ['--bake 5m --strategy-file', 'x', /^pawl: --bake does not go with --strategy-file/],
    ['--strategy-file', '/nowhere', /cannot read \/nowhere: there is no such file/],
  ])('refuses before it asks anybody: %s %s', async (flags, value, text) => {
    const { code, err } = await promote(...flags.split(' '), value);
    expect(code).toBe(2);
    expect(err).toMatch(text);
    expect(world.requests).toEqual([]);
  });

  it.each([
    ['{"stages":[{"percent":101}]}', '/stages/0/percent must be <= 100'],
    ['stages:\n- count: 1\n  bake: 5m\n', '/stages/0 must not have the key "bake"'],
    ['7', 'a strategy must be string or object'],
    ['{"stages":[],"stages":[]}', 'the key "stages" occurs twice'],
  ])('says where a file is no strategy: %s', async (text, why) => {
    const file = await world.file('a.yaml', text);
    const { code, err } = await promote('--strategy-file', file);
    expect([code, err]).toEqual([2, expect.stringContaining(`pawl: ${file}: ${why}`)]);
    expect(world.requests).toEqual([]);
  });

  it('ends with 2 for a strategy that nobody knows', async () => {
    const answer = refuse('unknown-strategy', 'the strategies known are: canary');
    world.answers.set('POST /v1/release/acme/app', answer);
    const { code, err } = await promote('--strategy', 'slow');
    expect([code, err]).toEqual([2, 'pawl: Unknown strategy: the strategies known are: canary\n']);
    expect(sent()).toEqual({ action: 'promote', strategy: 'slow' });
  });

  it('supersedes what is under way, and goes forward while frozen, where it is told to', async () => {
    const args = ['--strategy', 'linear', '--supersede', '--freeze-exception', 'it is down'];
    expect((await promote(...args)).code).toBe(0);
    expect(sent()).toEqual({
      ...{ action: 'promote', strategy: 'linear' },
      ...{ conflict: 'supersede', freezeException: 'it is down' },
    });
  });

  it('aborts what is under way below where that is named, and says what it aborted', async () => {
    const aborted = [{ address: 'acme/app/eu', id: 'r1', version: 4 }];
    const view = {
      address: 'acme/app',
      state: 'idle',
      releaseVersion: 3,
      stableVersion: 2,
      aborted,
    };
    world.answers.set('POST /v1/release/acme/app', json(view));
    const { code, out } = await promote('--preempt', 'acme/app/eu', '--preempt', 'acme/app/us');
    expect(code).toBe(0);
    expect(sent()).toEqual({ action: 'promote', preempt: ['acme/app/eu', 'acme/app/us'] });
    expect(out).toContain('\naborted with it: release r1 of version 4 of acme/app/eu\n');
  });

  it.each([
    [
      'release-in-flight',
      'look at it: .* pawl status acme/app\nbegin after it: .* --queue\nsupersede it: .* --supersede',
    ],
    [
      'too-many-releases',
      'look at it: .* pawl status acme/app\nwhere one is below, abort it with this: .* --preempt ADDRESS',
    ],
    ['frozen', 'go forward all the same: with --freeze-exception and why'],
  ] as const)('says what can be done where it is refused: %s', async (code, hint) => {
    world.answers.set('POST /v1/release/acme/app', refuse(code, 'not now'));
    const { err } = await promote('--strategy', 'linear');
    expect(err).toMatch(new RegExp(`^pawl: [^:]+: not now\n${hint}\n$`));
    const forMachines = await promote('--strategy', 'linear', '-o', 'json');
    expect(JSON.parse(forMachines.err)).toMatchObject({
      error: {
        exitCode: 1,
        problem: { code },
        message: expect.stringMatching(/not now$/) as string,
      },
    });
  });
});

describe('pawl advance, skip, pause, resume, abort', () => {
  const sent = (): unknown => JSON.parse(world.requests.at(-1)?.body ?? 'null');
  const labels = (out: string): string[] =>
    [...out.matchAll(/^(.+?): PAWL_URL/gm)].map(([, label]) => label ?? '');

  it.each(['advance', 'skip', 'pause', 'resume', 'abort'])('%s sends why', async (action) => {
    const args = [action, 'acme/app', '--reason', 'seen enough', '--expect-release', '6'];
    expect((await world.pawl(...args)).code).toBe(0);
    expect(sent()).toEqual({ action, expectedReleaseVersion: 6, reason: 'seen enough' });
    expect((await world.pawl(action, 'acme/app', '--to', '3')).code).toBe(2);
    expect((await world.pawl(action, 'acme/app', '--strategy', 'canary')).code).toBe(2);
    const exception = await world.pawl(action, 'acme/app', '--freeze-exception', 'it is down');
    expect(exception.code).toBe(['pause', 'abort'].includes(action) ? 2 : 0);
  });

  it('says how to go on with what is paused, and why it is', async () => {
    const answer = releaseInStages({ reason: 'errors\nrise' }, 'paused');
    world.answers.set('POST /v1/release/acme/app', answer);
    const { out } = await world.pawl('pause', 'acme/app');
    expect(out).toMatch(/^acme\/app is paused .*, stage 2 of 3 \(10 %\); errors rise\n/);
    expect(labels(out)).toEqual(['go on', 'take it back']);
  });

  it('says what can be done after a step, and where what comes back is seen', async () => {
    world.answers.set('POST /v1/release/acme/app', releaseInStages());
    const { out } = await world.pawl('advance', 'acme/app');
    expect(labels(out)).toEqual([
      ...['watch it', 'stop it where it is', 'go on at once', 'take it back', 'wait for its end'],
    ]);
    expect(out).toContain('--timeout 20m');
    world.answers.set('POST /v1/release/acme/app', release(2));
    expect(labels((await world.pawl('abort', 'acme/app')).out)).toEqual(['watch it arrive']);
    world.answers.set('POST /v1/release/acme/app', release(3));
    expect((await world.pawl('advance', 'acme/app')).out).toBe(
      'acme/app is idle at version 3 (release 7)\n',
    );
  });
});
