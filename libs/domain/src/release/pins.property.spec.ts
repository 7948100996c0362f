import { address, heldBy, judgeSnapshot, layerAddresses } from '@pawl/contracts';
import type { ConsumerIdentity, HeldSnapshot, ReleaseStage } from '@pawl/contracts';
import { parseMessage } from '@pawl/contracts/validate';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INSTALLATION } from '../testing/make-snapshot.js';
import { seed } from '../testing/seed.fixture.js';
import { HELD_WORKLOAD, StagedPath, versionsOf } from '../testing/staged-path.js';
import type { Step } from '../testing/staged-path.js';

const PATH = layerAddresses(address('acme/prod/eu/west/checkout'));
const own = { installation: INSTALLATION };
const SLOTS = 3;
const NOBODY: ReleaseStage = { basisPoints: 0 };

const stage: fc.Arbitrary<ReleaseStage> = fc.record({
  basisPoints: fc.constantFrom(0, 5_000, 9_000),
  named: fc.array(
    fc.nat(SLOTS - 1).map((slot) => `${HELD_WORKLOAD}/${slot}`),
    { maxLength: 2 },
  ),
});
const target = fc.constantFrom(1, 2, 3, 3, 4, 4, 5, 5, 6, 7);
/** Mostly of the two highest layers, which the others are pinned to. */
const release: fc.Arbitrary<Step> = fc.record({
  layer: fc.constantFrom(0, 0, 0, 0, 1, 1, 2, 3, 4),
  action: fc.constantFrom(
    ...['define', 'stage', 'stage', 'stage', 'advance', 'advance', 'skip', 'promote', 'promote'],
    ...['rollback', 'rollback', 'disable', 'enable', 'enable', 'enable', 'abort', 'block'],
    ...['unblock', 'hold', 'resume'],
  ),
  target,
  stage,
});
const pin: fc.Arbitrary<Step> = fc.record({
  layer: fc.constantFrom(1, 2, 2, 3, 3, 4, 4),
  action: fc.constantFrom('pin', 'pin', 'pin', 'unpin', 'unpin'),
  target,
  stage: fc.constant(NOBODY),
  ancestor: fc.constantFrom(0, 0, 0, 0, 1, 1, 2),
});
const history = fc.array(fc.oneof(release, pin), { minLength: 1, maxLength: 40, size: 'max' });
/** Pins of several places to one layer, which goes up and down. */
const pinning = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: pin.map((one) => ({ ...one, ancestor: 0 })) },
    fc.record({
      layer: fc.constant(0),
      action: fc.constantFrom('promote', 'rollback', 'disable', 'enable', 'enable', 'stage'),
      ...{ target, stage },
    }),
  ),
  { minLength: 4, maxLength: 30, size: 'max' },
);
const prelude: readonly Step[] = PATH.flatMap((_, layer) =>
  ['define', 'define', 'define', 'define', 'promote', 'define', 'define'].map((action) => ({
    ...{ layer, action, target: 4, stage: NOBODY },
  })),
);
const EVERYONE: readonly ConsumerIdentity[] = [
  { workload: HELD_WORKLOAD, slot: null, labels: {} },
  ...Array.from({ length: SLOTS }, (_, slot) => ({ workload: HELD_WORKLOAD, slot, labels: {} })),
];
const runs = { seed, numRuns: 250 };

const pathOf = (each: readonly Step[]): StagedPath => new StagedPath(PATH).run(prelude).run(each);

/** `<action> <target> <layer> <ancestor>`, separated by commas; a fourth word makes it a pin. */
const steps = (text: string): Step[] =>
  text.split(', ').map((word) => {
    const [action = '', to = '1', layer = '0', ancestor] = word.split(' ');
    const of = ancestor === undefined ? {} : { ancestor: Number(ancestor) };
    return { action, target: Number(to), layer: Number(layer), stage: NOBODY, ...of };
  });

describe('a consumer below a layer that is pinned', () => {
  it('accepts the newest snapshot whichever earlier one it holds, in every cohort', () => {
    const seen = { pinned: 0, lowered: 0, came: 0, candidates: 0, repinned: 0 };
    fc.assert(
      fc.property(history, (each) => {
        const { published, last } = pathOf(each);
        const pinsOf = (at: number): string =>
          published[at]!.inputs.map((input) => input.pinnedAt ?? '').join();
        const now = pinsOf(published.length - 1);
        for (const [at, earlier] of published.slice(0, -1).entries()) {
          const before = pinsOf(at);
          for (const consumer of EVERYONE) {
            const held = heldBy(consumer, earlier);
            const then = versionsOf(earlier, consumer, PATH);
            const next = versionsOf(last, consumer, PATH);
            const lowered = next.some((version, layer) => version < then[layer]!);
            const judgement = judgeSnapshot(held, last, { ...own, identity: consumer });
            expect(judgement).toEqual({ kind: 'accept', lowered });
            if (before === now) continue;
            if (now.length > before.length) seen.pinned += 1;
            if (now.length < before.length) seen.came += 1;
            if (now.length === before.length) seen.repinned += 1;
            if (lowered) seen.lowered += 1;
            if (held.cohort !== '') seen.candidates += 1;
          }
        }
      }),
      runs,
    );
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(20);
  });

  it('accepts every later snapshot, wakes and sleeps as it may, whoever it is each time', () => {
    const look = fc.record({ now: fc.constantFrom(...EVERYONE), isAwake: fc.boolean() });
    type Look = { readonly now: ConsumerIdentity; readonly isAwake: boolean };
    fc.assert(
      fc.property(pinning, fc.infiniteStream(look), (each, looks: Iterator<Look, Look>) => {
        const { published } = pathOf(each);
        let held: HeldSnapshot = heldBy(EVERYONE[0]!, published[0]!);
        for (const incoming of published.slice(1)) {
          const { now, isAwake } = looks.next().value;
          if (!isAwake) continue;
          const judgement = judgeSnapshot(held, incoming, { ...own, identity: now });
          expect(judgement.kind).toBe('accept');
          held = heldBy(now, incoming);
        }
      }),
      { ...runs, numRuns: 500 },
    );
  });

  it('gets valid messages, in which a pinned layer has no candidates and no release', () => {
    fc.assert(
      fc.property(history, (each) => {
        for (const snapshot of pathOf(each).published) {
          expect(parseMessage('snapshot', snapshot).ok).toBe(true);
          for (const input of snapshot.inputs) {
            if (input.pinnedAt === undefined) continue;
            expect(input.candidate).toBeUndefined();
            expect(snapshot.releases.map((one) => one.address)).not.toContain(input.address);
          }
        }
      }),
      runs,
    );
  });

  it.each([
    'pin 3 2 0, promote 5, unpin 1 2 0',
    'pin 3 2 0, rollback 1, unpin 1 2 0',
    'pin 3 2 0, disable, rollback 2, enable, unpin 1 2 0',
    'pin 4 2 0, rollback 2, pin 2 2 0, unpin 1 2 0',
    'pin 3 2 0, pin 1 1 0, pin 1 3 0, unpin 1 2 0, unpin 1 3 0',
    'pin 4 1 0, rollback 2, pin 2 3 0, unpin 1 1 0, unpin 1 3 0',
    'pin 3 1 0, pin 2 2 0, promote 5, pin 5 1 0, unpin 1 2 0, unpin 1 1 0',
    'stage 5, pin 4 2 0, skip, advance, unpin 1 2 0, rollback 3, stage 6, pin 1 4 0, abort',
  ])('accepts the newest after: %s', (text) => {
    const { published, last } = pathOf(steps(text));
    expect(published).toHaveLength(PATH.length + text.split(', ').length);
    for (const earlier of published.slice(0, -1)) {
      for (const consumer of EVERYONE) {
        const held = heldBy(consumer, earlier);
        expect(judgeSnapshot(held, last, { ...own, identity: consumer }).kind).toBe('accept');
      }
    }
  });

  it('is never kept at more than what is released, nor than what a pin above it keeps', () => {
    const refused = [
      ['pin 5 2 0', 0],
      ['pin 3 1 0, pin 4 2 0', 1],
      ['rollback 2, pin 3 1 0', 1],
      ['disable, pin 3 1 0', 1],
      ['pin 4 1 0, rollback 2, pin 3 2 0', 2],
      ['pin 3 2 0, pin 2 1 0, pin 3 3 0', 2],
      ['block 2, pin 2 1 0', 1],
    ] as const;
    for (const [text, changes] of refused) {
      expect(pathOf(steps(text)).published, text).toHaveLength(PATH.length + changes);
    }
  });
});
