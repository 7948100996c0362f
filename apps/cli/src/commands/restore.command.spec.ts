import { afterEach, beforeEach, expect, it } from 'vitest';
import { CliWorld, json, refuse } from '../testing/cli-world.js';

const BEHIND = {
  generation: 1,
  shards: [
    {
      shard: 3,
      behind: {
        since: '2026-01-02T03:04:05.678Z',
        remembered: {
          generation: 1,
          fencingToken: '12',
          commits: 120,
          has: { generation: 1, fencingToken: '11', commits: 97 },
        },
        addresses: [
          {
            address: 'acme/app',
            held: { generation: 1, version: 9 },
            has: { generation: 1, version: 4 },
          },
        ],
      },
    },
  ],
};

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
  world.answers.set('GET /v1/restore', json(BEHIND));
});
afterEach(() => world.stop());

it('tells what was seen and is not there', async () => {
  const { code, out } = await world.pawl('restore', 'status');
  expect(code).toBe(0);
  expect(out).toContain('1 shard is read-only');
  expect(out).toMatch(/pawl restore accept --reason 'why'\n$/);
  expect(out).toMatch(/^3 {2,}120 commits, token 12, generation 1 +97 commits, token 11/m);
  expect(out).toMatch(/^3 +acme\/app +snapshot version 9, generation 1 +snapshot version 4/m);
  const asJson = await world.pawl('-o', 'json', 'restore', 'status');
  expect(JSON.parse(asJson.out)).toEqual(BEHIND);
});

it('accepts nothing without --yes, and not without a reason', async () => {
  const { code, out, err } = await world.pawl('restore', 'accept', '--reason', 'lost');
  expect([code, out]).toEqual([1, '']);
  expect(err).toContain('acme/app');
  expect(err).toContain('add --yes');
  expect((await world.pawl('restore', 'accept', '--yes')).code).toBe(2);
  expect(world.requests.map(({ line }) => line)).toEqual(['GET /v1/restore']);
});

it('accepts what it has shown once somebody answers yes', async () => {
  world.answers.set('POST /v1/restore/accept', json({ accepted: true, generation: 2 }));
  const args = ['restore', 'accept', '--reason', 'lost'];
  const no = await world.run(args, { answer: 'y' });
  expect([no.code, world.writes()]).toEqual([1, []]);
  const yes = await world.run(args, { answer: 'yes' });
  expect([yes.code, yes.out]).toEqual([0, expect.stringContaining('under generation 2')]);
  expect(yes.err).toContain('acme/app');
  expect(world.writes()).toEqual(['POST /v1/restore/accept']);
});

it('changes nothing where it is another by now than what was shown', async () => {
  world.answers.set('POST /v1/restore/accept', refuse('restore-changed', 'look again'));
  const { code, err } = await world.pawl('restore', 'accept', '--reason', 'lost', '--yes');
  expect([code, err]).toEqual([1, expect.stringContaining('look again')]);
});

it('accepts with --yes, once', async () => {
  world.answers.set('POST /v1/restore/accept', json({ accepted: true, generation: 2 }));
  const args = ['restore', 'accept', '--reason', 'lost', '--yes'];
  const first = await world.pawl(...args);
  expect([first.code, first.out]).toEqual([0, expect.stringContaining('under generation 2')]);
  const sent = { reason: 'lost', generation: 1, shards: [3] };
  expect(JSON.parse(world.requests[1]?.body ?? '')).toEqual(sent);
  world.answers.set('POST /v1/restore/accept', json({ accepted: false, generation: 2 }));
  const second = await world.pawl(...args);
  expect([second.code, second.out]).toEqual([0, expect.stringContaining('nothing was changed')]);
});
