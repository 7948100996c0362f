import { cohortOf, heldBy, judgeSnapshot } from '@pawl/contracts';
import type {
  ConsumerIdentity,
  HeldSnapshot,
  Judgement,
  ReleaseStage,
  Snapshot,
  SnapshotInput,
} from '@pawl/contracts';
import { parseMessage } from '@pawl/contracts/validate';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INSTALLATION } from '../testing/make-snapshot.js';
import { seed } from '../testing/seed.fixture.js';
import { HELD_WORKLOAD, PATH, publish, StagedPath, versionsOf } from '../testing/staged-path.js';
import type { Step } from '../testing/staged-path.js';

const own = { installation: INSTALLATION };
const WORKLOAD = HELD_WORKLOAD;
const OTHER = 'cart';
const SLOTS = 4;

const stage: fc.Arbitrary<ReleaseStage> = fc.record(
  {
    basisPoints: fc.constantFrom(0, 1_000, 5_000, 5_000, 9_000),
    selector: fc.constantFrom({ region: ['eu'] }, { region: ['us', 'eu'] }),
    named: fc.array(
      fc.nat(SLOTS - 1).map((slot) => `${WORKLOAD}/${slot}`),
      { maxLength: 2 },
    ),
  },
  { requiredKeys: ['basisPoints'] },
);
const step: fc.Arbitrary<Step> = fc.record({
  layer: fc.nat({ max: PATH.length - 1 }),
  action: fc.constantFrom(
    ...['define', 'define', 'stage', 'stage', 'stage', 'stage', 'stage', 'advance', 'advance'],
    ...['skip', 'promote', 'promote', 'rollback', 'disable', 'enable', 'enable', 'enable'],
    ...[
      'abort',
      'block',
      'unblock',
      'unblock',
      'pause',
      'resume',
      'resume',
      'hold',
      'hold',
      'hold',
    ],
  ),
  target: fc.constantFrom(1, 2, 3, 4, 4, 5, 5, 6, 7),
  stage,
});
const identity: fc.Arbitrary<ConsumerIdentity> = fc.record({
  workload: fc.constant(WORKLOAD),
  slot: fc.option(fc.nat(SLOTS - 1), { freq: 5 }),
  labels: fc.constantFrom({ region: 'eu' }, { region: 'us' }, {}),
});

/** A consumer of every cohort that the history may have: each slot in each region, and without a slot. */
const EVERYONE: readonly ConsumerIdentity[] = [
  { workload: WORKLOAD, slot: null, labels: {} },
  ...['eu', 'us'].flatMap((region) =>
    Array.from({ length: SLOTS }, (_, slot) => ({
      ...{ workload: WORKLOAD, slot, labels: { region } },
    })),
  ),
  { workload: OTHER, slot: 0, labels: { region: 'eu' } },
];
const NOBODY: ReleaseStage = { basisPoints: 0 };

/** Three layers with a history behind them, so that every action has something to act on. */
const prelude: readonly Step[] = PATH.flatMap((_, layer) =>
  ['define', 'define', 'define', 'promote', 'define', 'define'].map((action) => ({
    ...{ layer, action, target: 3, stage: NOBODY },
  })),
);

const runs = { seed, numRuns: 250 };
const history = fc.array(step, { minLength: 1, maxLength: 40, size: 'max' });
/** `<action> <target> <layer> <slots, as 0+1>`, separated by commas. */
const steps = (text: string): Step[] =>
  text.split(', ').map((word) => {
    const [action = '', target = '1', layer = '2', slots = ''] = word.split(' ');
    const named = slots === '' ? [] : slots.split('+').map((slot) => `${WORKLOAD}/${slot}`);
    const taken = { basisPoints: 0, named };
    return { action, target: Number(target), layer: Number(layer), stage: taken };
  });

/** Who a consumer is when the next snapshot is published, and whether it sees it. */
interface Look {
  readonly now: ConsumerIdentity;
  readonly isAwake: boolean;
}

/** How one who held `held` as `before` must judge `incoming` as `now`. */
function wanted(
  held: Snapshot,
  incoming: Snapshot,
  [before, now]: readonly [ConsumerIdentity, ConsumerIdentity],
): Extract<Judgement, { kind: 'accept' }> {
  const then = versionsOf(held, before);
  const lowered = versionsOf(incoming, now).some((version, layer) => version < then[layer]!);
  return { kind: 'accept', lowered };
}

describe('a consumer that slept', () => {
  it('accepts the newest snapshot whichever earlier one it holds, in every cohort', () => {
    const seen = { candidates: 0, several: 0, lowered: 0 };
    fc.assert(
      fc.property(history, (each) => {
        const { published, last } = new StagedPath().run(prelude).run(each);
        for (const earlier of published.slice(0, -1)) {
          expect(judgeSnapshot(earlier, last, own).kind).toBe('accept');
          for (const consumer of EVERYONE) {
            const held = heldBy(consumer, earlier);
            const judgement = judgeSnapshot(held, last, { ...own, identity: consumer });
            const want = wanted(earlier, last, [consumer, consumer]);
            expect(judgement).toEqual(want);
            if (held.cohort === '') continue;
            seen.candidates += 1;
            if (held.cohort?.includes('+') === true) seen.several += 1;
            if (want.lowered) seen.lowered += 1;
          }
        }
      }),
      runs,
    );
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(20);
  });

  it('accepts it whoever it became while it slept', () => {
    let moved = 0;
    fc.assert(
      fc.property(history, identity, identity, (each, before, now) => {
        const { published, last } = new StagedPath().run(prelude).run(each);
        for (const earlier of published.slice(0, -1)) {
          const held = heldBy(before, earlier);
          const judgement = judgeSnapshot(held, last, { ...own, identity: now });
          expect(judgement).toEqual(wanted(earlier, last, [before, now]));
          if (held.cohort !== cohortOf(last.releases, now)) moved += 1;
        }
      }),
      runs,
    );
    expect(moved).toBeGreaterThan(20);
  });

  it('accepts every later snapshot, wakes and sleeps as it may, whoever it is each time', () => {
    const look = fc.record({ now: identity, isAwake: fc.boolean() });
    fc.assert(
      fc.property(history, fc.infiniteStream(look), (each, looks: Iterator<Look, Look>) => {
        const { published } = new StagedPath().run(prelude).run(each);
        let consumer: ConsumerIdentity = EVERYONE[0]!;
        let earlier = published[0]!;
        let held: HeldSnapshot = heldBy(consumer, earlier);
        for (const incoming of published.slice(1)) {
          const { now, isAwake } = looks.next().value;
          if (!isAwake) continue;
          const judgement = judgeSnapshot(held, incoming, { ...own, identity: now });
          expect(judgement).toEqual(wanted(earlier, incoming, [consumer, now]));
          [consumer, earlier, held] = [now, incoming, heldBy(now, incoming)];
        }
      }),
      runs,
    );
  });

  it('gets valid messages, of at most three releases', () => {
    const staged = steps('stage 4 0 0, stage 4 1 0+1, stage 4 2 1+2');
    let most = 0;
    fc.assert(
      fc.property(history, (each) => {
        for (const snapshot of new StagedPath().run(prelude).run(staged).run(each).published) {
          expect(parseMessage('snapshot', snapshot).ok).toBe(true);
          most = Math.max(most, snapshot.releases.length);
        }
      }),
      runs,
    );
    expect(most).toBe(3);
  });

  it.each([
    'promote 4, rollback 2, promote 3, disable, enable',
    'disable, rollback 1, enable',
    'disable, rollback 2, rollback 1, enable, block 2, promote 3',
    'rollback 1, disable, enable, promote 2',
    'disable, enable, rollback 1, promote 2',
    'rollback 2, promote 4, rollback 3, disable',
    'rollback 1, rollback 2 1, disable 1 0, promote 3, rollback 2, enable 1 0',
    'stage 4 2 0, advance 0 2 1, abort, stage 4 2 1, abort',
    'stage 4 2 0, advance 0 2 1, advance 0 2 2, advance, advance, rollback 3, stage 4 2 0',
    'stage 5 2 0+1, promote 4, stage 5 2 1, pause, rollback 4',
    'stage 5 2 0, skip, block 5, promote 4, rollback 3',
    'stage 5 2 0, disable, rollback 2, enable, stage 5 2 1, promote 4',
    'stage 4 0 0, stage 5 1 0+1, stage 4 2 1, abort 0 1, disable 0 0, promote 5',
    'stage 5 2 0, hold, resume, hold, advance 0 2 1, resume, abort',
    'stage 5 2 0+1, hold, promote 4, stage 5 2 1, hold, rollback 3',
    'stage 4 0 0, stage 5 1 0+1, hold 0 0, hold 0 1, resume 0 0, skip 0 1, resume 0 1, advance 0 1',
    'stage 4 0 0, stage 5 1 0, skip 0 0, advance 0 0, rollback 3 0, stage 5 2 1, rollback 2 1',
  ])('accepts the newest after: %s', (text) => {
    const path = new StagedPath().run(prelude);
    const held = path.last;
    path.run(steps(text));
    for (const earlier of path.published.slice(0, -1)) {
      expect(judgeSnapshot(earlier, path.last, own).kind).toBe('accept');
      for (const consumer of EVERYONE) {
        const options = { ...own, identity: consumer };
        const judgement = judgeSnapshot(heldBy(consumer, earlier), path.last, options);
        expect(judgement).toEqual(wanted(earlier, path.last, [consumer, consumer]));
      }
    }
    expect(path.published.length).toBe(PATH.length + text.split(', ').length);
    expect(held.version).toBeLessThan(path.last.version);
  });
});

describe('a layer forged lower without saying so', () => {
  interface Forgery {
    readonly layer: number;
    readonly kind: 'lower' | 'disabled' | 'missing' | 'candidate lower' | 'release gone';
    /** The forger moves the release version on, as a real change would. */
    readonly moved: boolean;
    readonly drop: number;
  }
  const forgery: fc.Arbitrary<Forgery> = fc.record({
    layer: fc.nat({ max: PATH.length - 1 }),
    kind: fc.constantFrom('lower', 'disabled', 'missing', 'candidate lower', 'release gone'),
    moved: fc.boolean(),
    drop: fc.integer({ min: 1, max: 5 }),
  });

  /** `last` with one layer that is below what `held` runs. */
  function forge(last: Snapshot, held: HeldSnapshot, { layer, kind, moved, drop }: Forgery) {
    const { candidate: _, ...plain } = last.inputs[layer]!;
    const { definitionVersion: version, releaseVersion } = held.inputs[layer]!;
    const lower = version! - drop;
    const isLower = ['lower', 'candidate lower'].includes(kind);
    const forged: SnapshotInput = {
      ...plain,
      definitionVersion: isLower ? lower : null,
      releaseVersion: moved ? releaseVersion + 1 : releaseVersion,
      ...(kind === 'candidate lower' ? { candidate: lower } : {}),
    };
    const inputs = last.inputs.flatMap((input, at) => {
      if (at !== layer) return [input];
      return kind === 'missing' ? [] : [forged];
    });
    const releases = last.releases.filter(
      (release) => kind !== 'release gone' || release.address !== plain.address,
    );
    const { text } = PATH.at(-1)!;
    return publish({ address: text, version: last.version + 1 }, inputs, releases);
  }

  /** How many of the forgeries a consumer judged that were below a candidate it runs. */
  function refusals(consumers: fc.Arbitrary<ConsumerIdentity | undefined>): number {
    let ofCandidates = 0;
    fc.assert(
      fc.property(history, consumers, forgery, (each, consumer, forged) => {
        const { last } = new StagedPath().run(prelude).run(each);
        const held = consumer === undefined ? last : heldBy(consumer, last);
        const { address, definitionVersion: version } = held.inputs[forged.layer]!;
        fc.pre(version !== null);
        fc.pre(!forged.kind.endsWith('lower') || version > forged.drop);
        const options = consumer === undefined ? own : { ...own, identity: consumer };
        const judgement = judgeSnapshot(held, forge(last, held, forged), options);
        expect(judgement.kind).toBe('refuse');
        expect(judgement).toHaveProperty(
          'reason',
          expect.stringContaining(`${address} was at definition version ${version}`),
        );
        if (version !== last.inputs[forged.layer]!.definitionVersion) ofCandidates += 1;
      }),
      { ...runs, numRuns: 500 },
    );
    return ofCandidates;
  }

  it('is refused, naming the layer', () => {
    expect(refusals(fc.constant(undefined))).toBe(0);
  });

  it('is refused for a candidate as well', () => {
    expect(refusals(identity)).toBeGreaterThan(5);
  });
});
