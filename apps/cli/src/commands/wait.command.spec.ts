import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  breaking,
  CliWorld,
  ending,
  json,
  refuse,
  rollout,
  stream,
  underWay,
} from '../testing/cli-world.js';

let world: CliWorld;

beforeEach(async () => {
  world = await CliWorld.start();
  world.answers.set('GET /v1/effective/acme/app', json({ snapshotVersion: 5 }));
});

afterEach(() => world.stop());

describe('pawl wait', () => {
  it('waits for the newest snapshot, not the one before', async () => {
    world.answers.set(
      'GET /v1/rollout/acme/app',
      stream(rollout(4, 4), rollout(5, 1), rollout(5, 4)),
    );
    const args = ['wait', 'acme/app', '--applied', '100%', '--timeout', '20s'];
    const { code, out } = await world.run(args);
    expect({ code, out }).toEqual({ code: 0, out: 'acme/app snapshot 5 applied by 4 of 4\n' });
  });

  it('waits until the owner confirms it: else nobody tells whether a release in stages is under way', async () => {
    const asOf = '2026-01-02T12:00:03.000Z';
    const unconfirmed = { ...rollout(5, 4), asOf };
    const underWayNow = { ...rollout(5, 4), releases: [underWay({ state: 'paused' })] };
    world.answers.set('GET /v1/rollout/acme/app', stream(unconfirmed, underWayNow));
    expect((await world.pawl('wait', 'acme/app', '--timeout', '20s')).code).toBe(4);
    world.answers.set('GET /v1/rollout/acme/app', stream(unconfirmed, rollout(5, 4)));
    const { code, out } = await world.pawl('wait', 'acme/app', '--timeout', '20s');
    expect([code, out]).toEqual([0, 'acme/app snapshot 5 applied by 4 of 4\n']);
    world.answers.set('GET /v1/rollout/acme/app', stream(unconfirmed));
    const late = await world.pawl('wait', 'acme/app', '--timeout', '1s');
    const age = ` (as of ${asOf}, its owner has not confirmed it since)\n`;
    expect([late.code, late.err]).toEqual([3, expect.stringContaining(`snapshot 5${age}`)]);
  });

  it('ends with 4 as soon as the share cannot be reached', async () => {
    world.answers.set(
      'GET /v1/rollout/acme/app',
      stream(rollout(5, 2, { rejected: 1, lagging: 1 })),
    );
    const { code, err } = await world.pawl('wait', 'acme/app', '--timeout', '20s');
    expect(code).toBe(4);
    expect(err).toContain('1 × too high');
    const half = await world.pawl('wait', 'acme/app', '--applied', '50%', '--timeout', '20s');
    expect(half.code).toBe(0);
  });

  it('shows reasons without what would steer a terminal', async () => {
    const rejections = [{ reason: 'too\u001b[2J high\u009b2J', count: 1 }];
    const view = { ...rollout(5, 2, { rejected: 1, lagging: 1 }), rejections };
    world.answers.set('GET /v1/rollout/acme/app', stream(view));
    const { code, err } = await world.pawl('wait', 'acme/app', '--timeout', '20s');
    expect([code, err]).toEqual([4, expect.stringContaining('1 × too [2J high 2J')]);
    expect(err.trimEnd()).not.toMatch(/\p{Cc}/u);
  });

  it.each([
    ['consumers that did not apply it', rollout(5, 1), [], '1 of 4 live consumers applied'],
    ['nobody there', rollout(5, 0, { live: 0, lagging: 0 }), [], '1 of the 1 .* is missing'],
    ['too few there', rollout(5, 4), ['--min', '50'], '4 of 4 .* 46 of the 50 .* are missing'],
    ['not published', rollout(4, 3), [], 'snapshot 5 is not published yet; 3 of 4 .* snapshot 4'],
    [
      'a newer snapshot than was waited for',
      rollout(6, 1, { byVersion: { 5: 3, 6: 1 } }),
      [],
      '1 of 4 live consumers applied snapshot 6 \\(3 run 5\\)',
    ],
    [
      'nothing was published yet',
      { ...rollout(5, 0), published: null },
      [],
      'not in time: snapshot 5 is not published yet\\n$',
    ],
  ])('ends with 3 when it takes too long: %s', async (_what, view, flags, text) => {
    world.answers.set('GET /v1/rollout/acme/app', stream(view));
    const late = await world.pawl('wait', 'acme/app', '--timeout', '1s', ...flags);
    expect(late).toMatchObject({ code: 3, out: '' });
    expect(late.err).toMatch(new RegExp(text));
  });

  it('outlives a control plane that goes away, and says once that it did', async () => {
    const turns = [
      breaking(rollout(5, 1)),
      refuse('no-owner', 'no shards yet'),
      ending(rollout(5, 2)),
      refuse('too-many-requests', 'slow down'),
      stream(rollout(5, 4)),
    ];
    world.answers.set('GET /v1/rollout/acme/app', (...exchange) => turns.shift()?.(...exchange));
    const { code, out, err } = await world.pawl('wait', 'acme/app', '--timeout', '20s');
    expect({ code, out }).toEqual({ code: 0, out: 'acme/app snapshot 5 applied by 4 of 4\n' });
    expect(err.match(/the control plane went away .*; reconnecting\n/g)).toHaveLength(2);
  });

  it('says that the control plane is away when it still is at the end', async () => {
    const turns = [ending(rollout(5, 1))];
    const away = refuse('no-owner', 'no shards yet');
    world.answers.set('GET /v1/rollout/acme/app', (...exchange) =>
      (turns.shift() ?? away)(...exchange),
    );
    const { code, err } = await world.pawl('wait', 'acme/app', '--timeout', '1500ms');
    expect(code).toBe(3);
    expect(err).toMatch(/1 of 4 .*; the control plane is away: no shards yet\n$/);
  });

  it('goes on looking where the node of the data folder has ended in order', async () => {
    const endpoints = await world.file(
      'endpoints.json',
      JSON.stringify({ http: world.env['PAWL_URL'] }),
    );
    world.answers.set('GET /v1/rollout/acme/app', (...exchange) => {
      rmSync(endpoints);
      ending(rollout(5, 1))(...exchange);
    });
    const env = { PAWL_DATA_DIR: world.folder };
    const { code, err } = await world.run(['wait', 'acme/app', '--timeout', '1500ms'], { env });
    expect(code).toBe(3);
    expect(err).toMatch(/1 of 4 .*; the control plane is away: no Pawl runs on .*\n$/);
  });

  describe('where Pawl is starting', () => {
    const starting = () =>
      world.file(
        'launcher.json',
        JSON.stringify({ phase: 'starting', launcher: { pid: process.pid } }),
      );
    const wait = (timeout: string, more: { signal?: AbortSignal; onErr?: () => void } = {}) => {
      const env = { PAWL_DATA_DIR: world.folder };
      return world.run(['wait', 'acme/app', '--timeout', timeout], { env, ...more });
    };
    const serve = (): void => {
      const served = JSON.stringify({ http: world.env['PAWL_URL'] });
      writeFileSync(join(world.folder, 'endpoints.json'), served);
    };
    const state = () => `Pawl is starting on ${world.folder} (process ${process.pid})`;

    it('waits until it serves, and until its shards are there', async () => {
      await starting();
      world.answers.set('GET /v1/rollout/acme/app', stream(rollout(5, 4)));
      const turns = [refuse('no-owner', 'no shards yet')];
      world.answers.set('GET /v1/effective/acme/app', (...exchange) =>
        (turns.shift() ?? json({ snapshotVersion: 5 }))(...exchange),
      );
      expect(await wait('20s', { onErr: serve })).toEqual({
        code: 0,
        out: 'acme/app snapshot 5 applied by 4 of 4\n',
        err: `${state()} and serves nothing yet; waiting for it\n`,
      });
      expect(turns).toEqual([]);
    });

    it('follows the rollout once it answers, though its shards are not all there yet', async () => {
      await starting();
      const turns = [refuse('no-owner', 'no shards yet')];
      world.answers.set('GET /v1/rollout/acme/app', (...exchange) =>
        (turns.shift() ?? stream(rollout(5, 4)))(...exchange),
      );
      expect((await wait('20s', { onErr: serve })).code).toBe(0);
      expect(turns).toEqual([]);
    });

    it('ends with 3 when it still is at the end', async () => {
      await starting();
      const { code, out, err } = await wait('1s');
      expect([code, out]).toEqual([3, '']);
      const [told, last] = err.trimEnd().split('\n');
      expect(told).toBe(`${state()} and serves nothing yet; waiting for it`);
      expect(last).toContain(`not in time: ${state()}`);
    });

    it('ends with 1 at what does not pass, and at Ctrl-C', async () => {
      await starting();
      const interrupt = new AbortController();
      const stopped = await wait('20s', {
        signal: interrupt.signal,
        onErr: () => interrupt.abort(),
      });
      expect([stopped.code, stopped.err]).toEqual([1, expect.stringContaining('interrupted')]);
      const onErr = (): void => {
        serve();
        world.answers.delete('GET /v1/effective/acme/app');
      };
      const gone = await wait('20s', { onErr });
      expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('Not found')]);
    });
  });

  it('does not look for a control plane that never answered', async () => {
    world.answers.set('GET /v1/rollout/acme/app', refuse('no-owner', 'no shards yet'));
    expect((await world.pawl('wait', 'acme/app', '--timeout', '20s')).code).toBe(1);
  });
});
