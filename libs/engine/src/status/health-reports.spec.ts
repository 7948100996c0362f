import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { MockInstance } from 'vitest';
import type { AddressText } from '@pawl/contracts';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { FakeFleet } from '../testing/fake-fleet.js';
import { evenOut } from './even-out.js';
import type { HealthSum } from './even-out.js';
import { HealthSums } from './health-sums.js';

const AT = 'acme/app';

let world: EngineWorld;
let fleet: FakeFleet;
/** What the present owner of the root adds up. */
let sums: HealthSums;
let take: MockInstance<HealthSums['take']>;

beforeEach(async () => {
  take = vi.spyOn(HealthSums.prototype, 'take');
  world = await claimedWorld();
  fleet = new FakeFleet(world);
  await world.put(AT, { a: 1 });
  await world.promote(AT);
  await fleet.add(AT, 'checkout', 4);
  await fleet.add(AT, 'till', 1);
  sums = take.mock.contexts[0] as HealthSums;
});
afterEach(() => vi.restoreAllMocks());

async function begin(): Promise<string> {
  await world.over(AT, { a: 2 });
  const stages = [
    { count: 1, bakeMs: 60_000 },
    { percent: 100, bakeMs: 60_000 },
  ];
  expect(code(await world.begin(AT, { stages }))).toBe('ok');
  await fleet.pass(1_000);
  return (await world.published(AT)).releases[0]!.id;
}

function compared(release: string) {
  const all = sums.of([AT as AddressText], release, 600_000, world.time.monotonicMs());
  return new Map(
    [...all].map(([workload, { candidates, rest }]): [string, Record<string, HealthSum>] => {
      return [workload, { candidates: evenOut(candidates), rest: evenOut(rest) }];
    }),
  );
}

it('compares the candidates of a release with the rest of each workload', async () => {
  const release = await begin();
  for (const one of fleet.all) {
    one.serves = (cohort) => ({ requests: 10, errors: cohort === '' ? 0 : 2, latencyMs: 5 });
  }
  await fleet.pass(20_000);
  const checkout = compared(release).get('checkout')!;
  const { requests, errors, latency } = checkout['candidates']!;
  expect(requests).toBeGreaterThanOrEqual(100);
  expect(errors).toBe(requests / 5);
  expect(latency.reduce((sum, count) => sum + count, 0)).toBe(requests);
  expect(checkout['rest']).toMatchObject({ requests: 3 * requests, errors: 0 });
  // The only instance of a workload is its candidate.
  expect(compared(release).get('till')).toMatchObject({
    candidates: { requests },
    rest: { requests: 0 },
  });
});

it('counts what a candidate reported before it became one for the rest', async () => {
  for (const one of fleet.all) one.report({ requests: 7 });
  const release = await begin();
  for (const one of fleet.candidates()) one.report({ requests: 1, errors: 1 });
  await fleet.hello();
  await fleet.hello();
  expect(compared(release).get('checkout')).toMatchObject({
    candidates: { requests: 1, errors: 1 },
    rest: { requests: 28, errors: 0 },
  });
});

it('is begun anew by an owner that takes over, with what was said to the former as the base', async () => {
  const [one] = fleet.all;
  one!.report({ requests: 1_000 });
  await one!.hello();
  take.mockClear();
  await world.restart();
  one!.report({ requests: 5 });
  await one!.hello();
  sums = take.mock.contexts[0] as HealthSums;
  expect(compared('none').size).toBe(0);
  one!.report({ requests: 3 });
  await one!.hello();
  expect(compared('none').get('checkout')).toMatchObject({ rest: { requests: 3 } });
});
