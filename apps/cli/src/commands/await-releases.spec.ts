import type { HistoryItem, ReleaseEnd, RolloutRelease, RolloutView } from '@pawl/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Answer, Ran } from '../testing/cli-world.js';
import {
  CliWorld,
  json,
  refuse,
  release,
  releaseInStages,
  rollout,
  stream,
  underWay,
} from '../testing/cli-world.js';

let world: CliWorld;
/** What the address answers, one after the other; the last one again and again. */
let states: Answer[];

const inTurns =
  (turns: Answer[]): Answer =>
  (...exchange) =>
    (turns.length > 1 ? turns.shift() : turns[0])?.(...exchange);

beforeEach(async () => {
  world = await CliWorld.start();
  states = [releaseInStages()];
  world.answers.set('GET /v1/release/acme/app', (...exchange) => inTurns(states)(...exchange));
  world.answers.set('GET /v1/config/acme/app', json({ version: 9 }));
  snapshots(5);
  history();
});

afterEach(() => world.stop());

const inStages = (more: Partial<RolloutRelease> = {}, view = rollout(5, 4)): RolloutView => ({
  ...view,
  releases: [underWay(more)],
});
const wait = (...args: string[]): Promise<Ran> =>
  world.pawl('wait', 'acme/app', '--timeout', '20s', ...args);
const views = (...shown: RolloutView[]): void => {
  world.answers.set('GET /v1/rollout/acme/app', stream(...shown));
};
const snapshots = (...versions: number[]): void => {
  const turns = versions.map((snapshotVersion) => json({ snapshotVersion }));
  world.answers.set('GET /v1/effective/acme/app', inTurns(turns));
};
const history = (...newestFirst: Partial<HistoryItem>[]): void => {
  const items = newestFirst.map((item) => ({ at: '', author: 'ada', kind: 'release', ...item }));
  world.answers.set('GET /v1/history/acme/app?limit=100', json({ items }));
};

it('waits for the end of a release in stages, and for the snapshot that everybody then runs', async () => {
  views(inStages(), inStages({ stage: 2 }), rollout(5, 4), rollout(6, 3), rollout(6, 4));
  states = [release(3)];
  snapshots(5, 6);
  expect(await wait()).toEqual({
    code: 0,
    out: 'acme/app snapshot 6 applied by 4 of 4\n',
    err: '',
  });
});

it('waits on while the address still tells of the release that the rollout does not show', async () => {
  views(inStages(), rollout(5, 4), rollout(5, 4));
  states = [releaseInStages(), release(3)];
  expect((await wait()).code).toBe(0);
  expect(states).toHaveLength(1);
});

it('says that the version is not there', async () => {
  states = [release(3)];
  const { code, err } = await wait('--to', '10');
  expect([code, err]).toEqual([
    4,
    'pawl: there is no version 10 of acme/app, the newest is 9: write it first\n',
  ]);
});

it('waits for the releases of ancestors', async () => {
  views({ ...rollout(5, 4), releases: [underWay({ address: 'acme', id: 'r0' })] }, rollout(5, 4));
  world.answers.set('GET /v1/release/acme', release(2, { address: 'acme' }));
  const { code, err } = await wait();
  expect(code).toBe(1);
  expect(err).toContain('Not found');
  world.answers.set('GET /v1/history/acme?limit=100', json({ items: [] }));
  const stopped = await wait();
  expect([stopped.code, stopped.err]).toEqual([
    4,
    'pawl: version 3 of acme did not reach everybody\n',
  ]);
  world.answers.set('GET /v1/release/acme', release(3, { address: 'acme' }));
  expect((await wait()).code).toBe(0);
});

it.each([
  ['abort', 'it was aborted by pawl: 1 of 1 candidates rejected it'],
  ['rollback', 'it was rolled back by pawl: 1 of 1 candidates rejected it'],
  ['block', 'the version was blocked by pawl: 1 of 1 candidates rejected it'],
])('ends with 4 and the reason once it has ended otherwise: %s', async (action, why) => {
  views(inStages(), rollout(6, 4));
  states = [release(2)];
  history(
    { action: 'disable', version: 2, author: 'eve', reason: 'later' },
    { action, version: 3, author: 'pawl', reason: '1 of 1 candidates rejected it' },
    { action: 'advance', version: 3 },
    { action: 'promote', version: 3 },
    { action: 'abort', version: 3, reason: 'before' },
  );
  expect(await wait()).toEqual({
    code: 4,
    out: '',
    err: `pawl: version 3 of acme/app did not reach everybody: ${why}\n`,
  });
});

it('ends with 4 where another version was promoted, or the layer disabled', async () => {
  views(inStages({ candidate: 5 }), rollout(6, 4));
  history({ action: 'promote', version: 4 }, { action: 'promote', version: 5 });
  states = [release(4)];
  expect((await wait()).err).toContain(': another version was promoted by ada\n');
  const ended = { outcome: 'superseded' } as ReleaseEnd;
  const superseded = { action: 'abort', version: 5, reason: 'superseded', ended };
  history({ action: 'promote', version: 6 }, superseded, { action: 'promote', version: 5 });
  expect((await wait()).err).toContain(': another version was promoted by ada: superseded\n');
  states = [release(5, { state: 'disabled' })];
  history({ action: 'disable', version: 5 }, { action: 'promote', version: 5 });
  expect(await wait()).toMatchObject({
    code: 4,
    err: expect.stringContaining('disabled') as string,
  });
});

it('ends with 4 where it is paused, with the reason and what can be done', async () => {
  views(inStages(), inStages({ state: 'paused', reason: 'errors rise' }));
  const { code, err } = await wait();
  expect(code).toBe(4);
  expect(err).toMatch(
    /^pawl: the release of version 3 of acme\/app is paused at stage 2 of 3 \(10 %\): errors rise\ngo on: .* resume acme\/app\ntake it back: .* abort acme\/app\n$/,
  );
  const forMachines = await wait('-o', 'json');
  expect(JSON.parse(forMachines.err)).toMatchObject({
    error: { exitCode: 4, message: expect.stringMatching(/: errors rise$/) as string },
  });
  views(inStages(), rollout(5, 4));
  states = [releaseInStages({ reason: 'by hand' }, 'paused')];
  expect(await wait()).toMatchObject({
    code: 4,
    err: expect.stringContaining('by hand') as string,
  });
});

it('ends with 4 once too many candidates reject, whatever the others do', async () => {
  const candidates = { live: 2, applied: 1, rejected: 1, lagging: 0, lost: 0 };
  const rejecting = inStages({ candidates }, rollout(5, 3, { rejected: 1, lagging: 0 }));
  views(rejecting, rollout(5, 4));
  states = [release(3)];
  expect(await wait('--applied', '75%')).toEqual({
    code: 4,
    out: '',
    err: 'pawl: 1 of 2 candidates rejected version 3 of acme/app at stage 2 of 3 (10 %): 1 × too high\n',
  });
  expect((await wait('--applied', '50%')).code).toBe(0);
});

it('ends with 3 in the middle of one, and says how far it has come', async () => {
  views(inStages({ bakeLeftMs: 61_000, reason: 'it is being published' }));
  const { code, err } = await world.pawl('wait', 'acme/app', '--timeout', '1s');
  expect(code).toBe(3);
  expect(err).toBe(
    'pawl: not in time: version 3 of acme/app is at stage 2 of 3 (10 %), 1m 1s of its bake left, it is being published; 4 of 4 live consumers applied snapshot 5\n',
  );
});

it('knows a release that ended before it came, by the version that it was given', async () => {
  views(rollout(5, 4));
  states = [release(2)];
  history({ action: 'abort', version: 3, reason: 'no' }, { action: 'promote', version: 3 });
  expect(await wait()).toMatchObject({ code: 0 });
  expect(await wait('--to', '3')).toMatchObject({
    code: 4,
    err: 'pawl: version 3 of acme/app did not reach everybody: it was aborted by ada: no\n',
  });
  history();
  const promote = `promote it: PAWL_URL=${world.env['PAWL_URL']} pawl promote acme/app --to 4\n`;
  expect(await wait('--to', '4')).toEqual({
    ...{ code: 4, out: '' },
    err: `pawl: version 4 of acme/app is not released, version 2 runs\n${promote}`,
  });
  expect(JSON.parse((await wait('--to', '4', '-o', 'json')).err)).toMatchObject({
    error: { message: 'version 4 of acme/app is not released, version 2 runs' },
  });
  states = [release(null)];
  expect((await wait('--to', '4')).err).toContain('is not released, nothing runs\npromote it: ');
  states = [release(4, { state: 'disabled' })];
  expect((await wait('--to', '4')).err).toContain(
    'is not released, the layer is disabled\nput it back: ',
  );
  states = [release(2, { frozen: { scope: 'acme', reason: 'audit' } })];
  expect((await wait('--to', '4')).err).toContain("--to 4 --freeze-exception 'why'\n");
  states = [release(3)];
  expect((await wait('--to', '3')).code).toBe(0);
  expect((await wait('--to', 'x')).code).toBe(2);
});

it('waits for the version that it was given before the rollout shows its release', async () => {
  views(rollout(5, 4), inStages(), rollout(5, 4));
  states = [releaseInStages(), releaseInStages(), release(3)];
  expect((await wait('--to', '3')).code).toBe(0);
  expect(states).toHaveLength(1);
});

it('asks again while the control plane is away at the end of a release', async () => {
  views(inStages(), rollout(5, 4));
  states = [refuse('no-owner', 'no shards yet'), release(3)];
  expect((await wait()).code).toBe(0);
});

it('ends with 3 in a freeze, and says whose it is and how to go on', async () => {
  const until = '2026-12-03T00:00:00.000Z';
  const frozen = { scope: 'acme', reason: 'audit', until, byClock: true as const };
  const reason = 'frozen: audit';
  views({ ...inStages({ frozen, reason }), frozen });
  const command = (words: string) => `PAWL_URL=${world.env['PAWL_URL']} pawl ${words}`;
  const late = (...args: string[]) =>
    world.pawl('wait', 'acme/app', '--timeout', '1s', '--to', '3', ...args);
  const text = [
    ...['version 3 of acme/app is at stage 2 of 3 (10 %), frozen: audit'],
    ...[`frozen until ${until} by acme:release-policy: audit`],
    ...['4 of 4 live consumers applied snapshot 5'],
  ].join('; ');
  expect(await late()).toMatchObject({
    code: 3,
    err: [
      `pawl: not in time: ${text}`,
      `its times are in: ${command('config get acme:release-policy')}`,
      `go on at once: ${command("advance acme/app --freeze-exception 'why'")}\n`,
    ].join('\n'),
  });
  expect(JSON.parse((await late('-o', 'json')).err)).toMatchObject({
    error: { exitCode: 3, message: `not in time: ${text}` },
  });
});
