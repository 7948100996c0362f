import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pinsWorld } from '../testing/pins-world.fixture.js';
import type { PinsWorld } from '../testing/pins-world.fixture.js';

/** `PAWL_SEED=n` replays a run. */
const seed = Number(process.env['PAWL_SEED'] ?? Date.now() % 2 ** 31);
process.stdout.write(`property tests run with PAWL_SEED=${seed}\n`);

const WAY = ['acme', 'acme/prod', 'acme/prod/eu', 'acme/prod/eu/shop'] as const;
const SIDE = 'acme/prod/us';

interface Step {
  readonly action: string;
  /** Position on the way. */
  readonly at: number;
  readonly ancestor: number;
  readonly version: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  action: fc.constantFrom(
    ...[
      'pin',
      'pin',
      'pin',
      'pin',
      'pin',
      'pin',
      'unpin',
      'unpin',
      'write',
      'begin',
      'begin',
      'advance',
    ],
    ...['abort', 'rollback', 'disable', 'enable', 'hour', 'open'],
  ),
  at: fc.nat(WAY.length - 1),
  ancestor: fc.nat(WAY.length - 2),
  version: fc.constantFrom(1, 1, 2, 2, 3, 4),
});

async function take(pins: PinsWorld, { action, at, ancestor, version }: Step): Promise<void> {
  const [place, above] = [WAY[at]!, WAY[ancestor]!];
  const { world } = pins;
  switch (action) {
    case 'pin':
      await pins.pin(place, above, { targetVersion: version, expireMs: 3_600_000 * version });
      break;
    case 'unpin':
      await pins.unpin(place, above);
      break;
    case 'write':
      await world.over(place, { [`k${at}`]: version, [`v${version}`]: at });
      await world.promote(place);
      break;
    case 'begin':
      await world.over(place, { [`k${at}`]: -version });
      await world.begin(place, { stages: [{ count: 1 }, { percent: 100 }], gates: [] });
      break;
    case 'rollback':
      await pins.act(place, action, { targetVersion: version });
      break;
    case 'hour':
      world.time.suspend(3_600_000);
      await world.pass(2_000);
      break;
    case 'open':
      await pins.fleet.add(`${place}/opened`, 'shop', 1);
      break;
    default:
      await pins.act(place, action);
  }
}

async function start(): Promise<PinsWorld> {
  const pins = await pinsWorld();
  for (const [at, place] of WAY.entries()) {
    for (const version of [1, 2]) await pins.promoted(place, { [`k${at}`]: version });
  }
  await pins.promoted(SIDE, { side: 1 });
  await pins.fleet.add(WAY[3], 'shop', 2);
  await pins.fleet.add(SIDE, 'shop', 1);
  return pins;
}

describe('pins among releases', () => {
  it('give what loading everything anew gives, and nothing that a consumer refuses', async () => {
    const seen = { pinned: 0, deep: 0, withRelease: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }),
        async (each) => {
          const pins = await start();
          for (const one of each) {
            await take(pins, one);
            await pins.look();
            const { inputs, releases } = await pins.whole(WAY[3]);
            const places = inputs.flatMap(({ pinnedAt }) => pinnedAt ?? []);
            if (places.length > 0) seen.pinned += 1;
            if (new Set(places).size > 1) seen.deep += 1;
            if (places.length > 0 && releases.length > 0) seen.withRelease += 1;
          }
          await pins.expectReloaded();
          await pins.look();
          await pins.world.engine.stop();
        },
      ),
      { seed, numRuns: 40 },
    );
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(2);
  }, 120_000);
});
