import { seededRng } from '@pawl/kernel';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { FAULTS } from './faults/catalogue.js';
import { evidence, LEAST_ACKNOWLEDGED, runCase } from './run-case.js';
import { Traffic } from './traffic/traffic.js';
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
