import { seededRng } from '@pawl/kernel';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { checkTokens } from './checks/check-tokens.js';
import { FAULTS } from './faults/catalogue.js';
import { evidence, LEAST_ACKNOWLEDGED, runCase } from './run-case.js';
import { Traffic } from './traffic/traffic.js';
import { withClient } from './world/audit.js';
import { readTruth } from './world/read-truth.js';
import { World } from './world/world.js';

let world: World;
let traffic: Traffic;

beforeAll(async () => {
  const natsServer = inject('natsServer');
  world = await World.start({
    natsServer,
    scopes: 10,
    consumers: 20,
    fleetProcesses: 1,
    shards: 16,
  });
  traffic = Traffic.of(world);
  await traffic.found(seededRng(1));
  await world.startFleet();
});

afterAll(() => world?.stop());

it.each([
  [1, 'owner kill -9'],
  [2, 'owner paused before BEGIN'],
  [3, 'PostgreSQL immediate stop'],
  [4, 'NATS restart'],
])('three nodes keep their promises, seed %i: %s', async (seed, name) => {
  const fault = FAULTS.find((one) => one.name === name);
  if (fault === undefined) throw new Error(`no fault ${name}`);
  const report = await runCase({ world, traffic, fault, rng: seededRng(seed) });
  if (report.broken.length > 0) {
    console.error(`kept: ${await world.keep(`spec-${seed}`, evidence(traffic, report.broken))}`);
  }
  expect(report.broken).toEqual([]);
  expect(report.lost).toBe(0);
  expect(report.acknowledged).toBeGreaterThanOrEqual(LEAST_ACKNOWLEDGED);
});

/** Last: it leaves broken promises behind. */
it('notices who writes past the fence, or under a token that is old by then', async () => {
  const audited = async () => checkTokens((await readTruth(world.truth.url)).audit);
  expect(await audited()).toEqual([]);
  await withClient(world.truth.url, async (client) => {
    const write = (version: number) =>
      client.query(
        `INSERT INTO config_definition (address, version, author, created_at)
         VALUES ('past/fence', $1, 'nobody', now())`,
        [version],
      );
    await write(1);
    await client.query('BEGIN');
    await client.query(
      `SELECT set_config('chaos.shard', shard::text, true), set_config('chaos.token', '1', true)
       FROM shard_fence LIMIT 1`,
    );
    await write(2);
    await client.query('COMMIT');
  });
  const texts = (await audited()).map(({ text }) => text);
  expect(texts).toHaveLength(2);
  expect(texts).toContain('config_definition past/fence 1 was written without a token');
  expect(texts.join()).toMatch(/config_definition past\/fence 2 of shard \d+ came under token 1 /);
});
