import type { PreviewView } from '@pawl/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CliWorld, json, release } from '../testing/cli-world.js';

const POD = { workload: 'checkout', consumerId: 'pod-7' };
const VIEW: PreviewView = {
  ...{ valid: true, errors: [], patch: [], strategy: 'canary' },
  addresses: [{ address: 'acme/app', changed: true, valid: true, consumers: 40 }],
  stages: [
    {
      ...{ stage: 0, count: 1, bakeMs: 300_000, instances: 1, added: [POD] },
      byWorkload: [{ workload: 'checkout', instances: 1, of: 40 }],
      addresses: [{ address: 'acme/app', instances: 1 }],
    },
    {
      ...{ stage: 1, percent: 100, bakeMs: 0, instances: 40 },
      added: [1, 2, 3, 4].map((n) => ({ workload: 'checkout', consumerId: `pod-${n}` })),
      byWorkload: ['a', 'b', 'c', 'd'].map((workload) => ({ workload, instances: 10, of: 10 })),
      addresses: [{ address: 'acme/app', instances: 40 }],
    },
  ],
};

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
});
afterEach(() => world.stop());

const dryRun = (...words: string[]) => world.pawl('promote', 'acme/app', '--dry-run', ...words);

it('says whom each stage would reach, and promotes nothing', async () => {
  world.answers.set('POST /v1/preview/acme/app', json(VIEW));
  const { code, out } = await dryRun('--strategy', 'canary', '--to', '3', '--supersede');
  expect(code).toBe(0);
  expect(out.split('\n')).toEqual([
    'acme/app: would be promoted by canary; addresses that read differently then: 1',
    'STAGE  SHARE               BAKE  INSTANCES  WORKLOADS                                      ADDRESSES    ADDS',
    '1      1 of each workload  5m    1          checkout 1 of 40                               acme/app 1   checkout/pod-7',
    '2      100 %               0s    40         a 10 of 10, b 10 of 10, c 10 of 10 and 1 more  acme/app 40  checkout/pod-1, checkout/pod-2, checkout/pod-3, …',
    'nothing was changed',
    '',
  ]);
  expect(world.writes()).toEqual(['POST /v1/preview/acme/app']);
  expect(JSON.parse(world.requests[0]?.body ?? '')).toEqual({
    promote: { targetVersion: 3, strategy: 'canary', conflict: 'supersede' },
  });
  expect(JSON.parse((await dryRun('-o', 'json')).out)).toEqual(VIEW);
});

it('asks for what begins later as it would be queued', async () => {
  world.answers.set('POST /v1/preview/acme/app', json(VIEW));
  const asked = async (...words: string[]): Promise<unknown> => {
    const { code, out } = await dryRun(...words);
    expect(code).toBe(0);
    const post = world.requests.findLast(({ line }) => line.startsWith('POST'));
    return [/by canary(.*); /.exec(out)?.[1], JSON.parse(post?.body ?? '')];
  };
  expect(await asked('--queue')).toEqual([
    ' after what is under way',
    { promote: { conflict: 'queue' } },
  ]);
  const at = '2026-12-01T03:00:00.000Z';
  expect(await asked('--at', '2026-12-01T03:00Z', '--supersede')).toEqual([
    ` at ${at}, or after what is under way then`,
    { promote: { conflict: 'requeue', at } },
  ]);
  expect(await asked('--supersede')).toEqual(['', { promote: { conflict: 'supersede' } }]);
});

it('says why it would be refused, and that nothing would change', async () => {
  const error = { address: 'acme/app', pointer: '', keyword: 'frozen', message: 'not now' };
  const refused = { valid: false, errors: [error], patch: [], addresses: [] };
  world.answers.set('POST /v1/preview/acme/app', json(refused));
  const { code, out, err } = await dryRun();
  expect([code, out]).toEqual([1, 'acme/app: not now\n']);
  expect(err).toContain('would not be promoted');
  const doubled = { ...error, message: 'acme/app is frozen by acme:release-policy' };
  world.answers.set('POST /v1/preview/acme/app', json({ ...refused, errors: [doubled] }));
  expect((await dryRun()).out).toBe('acme/app is frozen by acme:release-policy\n');
  world.answers.set('POST /v1/preview/acme/app', json({ ...refused, valid: true, errors: [] }));
  expect((await dryRun()).out).toBe('acme/app: nothing would change\n');
});

it('says which releases below it would abort', async () => {
  const aborted = [{ address: 'acme/app/eu', id: 'r1', version: 4 }];
  world.answers.set('POST /v1/preview/acme/app', json({ ...VIEW, aborted }));
  const { out } = await dryRun('--strategy', 'canary', '--preempt', 'acme/app/eu');
  expect(out.split('\n')[1]).toBe(
    'would be aborted with it: release r1 of version 4 of acme/app/eu',
  );
  expect(JSON.parse(world.requests[0]?.body ?? '')).toEqual({
    promote: { strategy: 'canary', preempt: ['acme/app/eu'] },
  });
});

it('says that it waits at each stage while it is frozen', async () => {
  const frozen = { scope: 'acme', reason: 'audit', until: '2026-12-03T00:00:00.000Z' };
  world.answers.set('GET /v1/release/acme/app', release(2, { frozen }));
  world.answers.set('POST /v1/preview/acme/app', json(VIEW));
  const { out } = await dryRun('--strategy', 'canary', '--freeze-exception', 'it is down');
  expect(out.split('\n').slice(1, 3)).toEqual([
    'frozen until 2026-12-03T00:00:00.000Z by acme:release-policy: audit',
    `until that is over it waits at each stage, and before its end; to go on each time: PAWL_URL=${world.env['PAWL_URL']} pawl advance acme/app --freeze-exception 'why'`,
  ]);
  const { strategy: _, ...atOnce } = VIEW;
  world.answers.set('POST /v1/preview/acme/app', json(atOnce));
  expect((await dryRun()).out).not.toContain('waits');
  world.answers.set('POST /v1/preview/acme/app', json(VIEW));
  expect((await dryRun('--at', '2026-12-04T00:00Z')).out).not.toContain('waits');
});
