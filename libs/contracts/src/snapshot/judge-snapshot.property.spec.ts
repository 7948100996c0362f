import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Snapshot, SnapshotInput } from '../messages/snapshot.message.js';
import { seed } from '../testing/seed.js';
import { ACTIONS, INSTALLATION, LAYERS, signed, stagedHistory } from '../testing/staged-history.js';
import type { Step } from '../testing/staged-history.js';
import { cohortOf, isCandidate } from './cohort.js';
import type { ConsumerIdentity } from './cohort.js';
import { heldBy } from './held-snapshot.js';
import type { HeldSnapshot } from './held-snapshot.js';
import { judgeSnapshot } from './judge-snapshot.js';

const runs = { seed, numRuns: 300 };
const SLOTS = 6;

const stage = fc.record(
  {
    basisPoints: fc.constantFrom(0, 1_000, 5_000, 9_000),
    selector: fc.constantFrom({ region: ['eu'] }, { region: ['us', 'eu'] }),
    named: fc.array(
      fc.nat(SLOTS - 1).map((slot) => `checkout/${slot}`),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: ['basisPoints'] },
);
const step: fc.Arbitrary<Step> = fc.record({
  layer: fc.nat(LAYERS.length - 1),
  action: fc.constantFrom(...ACTIONS),
  by: fc.integer({ min: 1, max: 2 }),
  stage,
});
const identity: fc.Arbitrary<ConsumerIdentity> = fc.record({
  workload: fc.constant('checkout'),
  slot: fc.option(fc.nat(SLOTS - 1), { freq: 5 }),
  labels: fc.constantFrom({ region: 'eu' }, { region: 'us' }, {}),
});
const history = fc.array(step, { minLength: 1, maxLength: 40 });
/** Who the consumer is when it looks, and how many snapshots it slept through before. */
const look = fc.record({ identity, slept: fc.nat(4) });
const looks = fc.array(look, { minLength: 1, maxLength: 40 });

/** Definition versions by layer, as a consumer runs them: 0 where there is none. */
function layersOf({ inputs, releases }: Snapshot, consumer: ConsumerIdentity): readonly number[] {
  return inputs.map(({ address, definitionVersion, candidate }) => {
    const release = releases.find((each) => each.address === address);
    const isReached = release !== undefined && isCandidate(release, consumer);
    return (isReached ? candidate : definitionVersion) ?? 0;
  });
}

describe('a consumer whose slot and labels change', () => {
  it('accepts every later snapshot, and the same one as another cohort', () => {
    const seen = { lowered: 0, again: 0, several: 0 };
    fc.assert(
      fc.property(history, looks, (steps, each) => {
        const published = stagedHistory(steps);
        let held: HeldSnapshot | null = null;
        let layers: readonly number[] = [];
        let at = 0;
        for (const { identity: consumer, slept } of each) {
          at = Math.min(published.length - 1, at + slept);
          const incoming = published[at]!;
          const cohort = cohortOf(incoming.releases, consumer);
          const isSame: boolean = held?.version === incoming.version && held.cohort === cohort;
          const now = layersOf(incoming, consumer);
          const lowered = layers.some((before, layer) => now[layer]! < before);
          const options = { installation: INSTALLATION, identity: consumer };
          expect(judgeSnapshot(held, incoming, options)).toEqual(
            isSame ? { kind: 'same' } : { kind: 'accept', lowered },
          );
          if (lowered) seen.lowered += 1;
          if (held?.version === incoming.version && !isSame) seen.again += 1;
          if (cohort.includes('+')) seen.several += 1;
          held = heldBy(consumer, incoming);
          layers = now;
          expect(held.inputs.map((input) => input.definitionVersion ?? 0)).toEqual(now);
        }
      }),
      runs,
    );
    expect(seen.lowered).toBeGreaterThan(100);
    expect(seen.again).toBeGreaterThan(100);
    expect(seen.several).toBeGreaterThan(0);
  });

  it('refuses a layer that is forged lower than what it runs, whoever it is by then', () => {
    let forged = 0;
    const forgery = fc.record({
      layer: fc.nat(LAYERS.length - 1),
      kind: fc.constantFrom('lower', 'disabled', 'missing', 'candidate lower', 'release gone'),
      moved: fc.boolean(),
      other: identity,
    });
    fc.assert(
      fc.property(history, identity, forgery, (steps, consumer, { layer, kind, moved, other }) => {
        const last = stagedHistory(steps).at(-1)!;
        const held = heldBy(consumer, last);
        const { address, definitionVersion, releaseVersion } = held.inputs[layer]!;
        fc.pre(definitionVersion !== null);
        const isOfRelease = definitionVersion !== last.inputs[layer]!.definitionVersion;
        // What candidates run may only be lower where they are told lower versions.
        const lower: SnapshotInput = {
          ...last.inputs[layer]!,
          definitionVersion: kind.endsWith('lower') ? definitionVersion - 1 : null,
          releaseVersion: moved ? releaseVersion + 1 : releaseVersion,
        };
        const { candidate: _, ...plain } = lower;
        const input =
          kind === 'candidate lower' ? { ...lower, candidate: definitionVersion - 1 } : plain;
        fc.pre(input.definitionVersion !== 0);
        const inputs = last.inputs.flatMap((each, at) => {
          if (at !== layer) return [each];
          return kind === 'missing' ? [] : [input];
        });
        const releases =
          kind === 'release gone'
            ? last.releases.filter((release) => release.address !== address)
            : last.releases;
        const incoming = signed({ ...last, version: last.version + 1, inputs, releases });
        for (const each of [consumer, other]) {
          const options = { installation: INSTALLATION, identity: each };
          const judgement = judgeSnapshot(held, incoming, options);
          expect(judgement.kind).toBe('refuse');
          expect(judgement).toHaveProperty('reason', expect.stringContaining(`${address} was`));
        }
        if (isOfRelease) forged += 1;
      }),
      runs,
    );
    expect(forged).toBeGreaterThan(0);
  });

  it('refuses a release that takes less, while the consumer is who it was', () => {
    let shrunk = 0;
    fc.assert(
      fc.property(history, identity, identity, (steps, consumer, other) => {
        const last = stagedHistory(steps).at(-1)!;
        const held = heldBy(consumer, last);
        fc.pre(held.cohort !== '');
        const releases = last.releases.map((release) => ({ ...release, stages: [] }));
        const incoming = signed({ ...last, version: last.version + 1, releases });
        const judge = (by: ConsumerIdentity): string =>
          judgeSnapshot(held, incoming, { installation: INSTALLATION, identity: by }).kind;
        expect(judge(consumer)).toBe('refuse');
        const isOther = other.slot !== consumer.slot || other.labels !== consumer.labels;
        expect(judge(other)).toBe(isOther ? 'accept' : 'refuse');
        shrunk += 1;
      }),
      runs,
    );
    expect(shrunk).toBe(runs.numRuns);
  });
});
