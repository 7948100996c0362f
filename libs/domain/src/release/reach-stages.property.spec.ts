import { BUCKETS, isCandidate, isSelected, slotName } from '@pawl/contracts';
import type { ReleaseStage } from '@pawl/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reachStages } from './reach-stages.js';
import type { Instance } from './reach-stages.js';
import type { Stage } from './staged-release.js';

/** `PAWL_SEED=n` replays a run. */
const seed = Number(process.env['PAWL_SEED'] ?? Date.now() % 2 ** 31);
process.stdout.write(`property tests run with PAWL_SEED=${seed}\n`);

const REGIONS = ['eu', 'us', 'ap'];
const LAST: Stage = { percent: 100, bakeMs: 0 };

const share = fc.oneof(
  fc.integer({ min: 1, max: BUCKETS }).map((points) => ({ percent: points / 100 })),
  fc.integer({ min: 1, max: 5 }).map((count) => ({ count })),
);
const selector = fc.record({
  selector: fc.record({
    region: fc.subarray(REGIONS, { minLength: 1 }),
  }),
});
const stage: fc.Arbitrary<Stage> = fc
  .tuple(share, fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, selector))
  .map(([of, where]) => ({ ...of, ...where, bakeMs: 0 }));

/** What happens to a fleet between two looks at it. */
type Step =
  | { readonly kind: 'join'; readonly workload: number; readonly region: number }
  | { readonly kind: Going; readonly which: number; readonly region: number }
  | { readonly kind: 'grow' | 'advance' | 'expire' };

/** `die`: the slot is kept for a while; `leave`: by a goodbye, so long ago that the slot is given away. */
type Going = 'die' | 'leave' | 'replace';

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('join' as const),
    workload: fc.nat({ max: 3 }),
    region: fc.nat({ max: 2 }),
  }),
  fc.record({
    kind: fc.constantFrom<Going>('die', 'leave', 'replace'),
    which: fc.nat({ max: 100 }),
    region: fc.nat({ max: 2 }),
  }),
  fc.record({
    kind: fc.constantFrom('grow' as const, 'grow' as const, 'advance' as const, 'expire' as const),
  }),
);

function instance(workload: string, slot: number, region = 'eu'): Instance {
  return { workload, slot, labels: { region } };
}

/** `sizes[n]` instances of the workload `w<n>`, on the lowest slots. */
function fleetOf(...sizes: readonly number[]): Instance[] {
  return sizes.flatMap((size, at) =>
    Array.from({ length: size }, (_, slot) => instance(`w${at}`, slot)),
  );
}

/** A release at one address whose instances come and go. */
class Place {
  stage = 0;
  told: ReleaseStage[] = [];
  /** Slots whose last holder has died and not been away for long. */
  readonly kept = new Set<string>();

  constructor(
    readonly id: string,
    readonly stages: readonly Stage[],
    public fleet: Instance[],
  ) {}

  reach(): ReleaseStage[] {
    const { id, stages, stage, fleet: instances, told: before, kept } = this;
    return reachStages({ release: { id, stages, stage }, instances, before, kept });
  }

  is(one: Instance, stages: readonly ReleaseStage[] = this.told): boolean {
    return isCandidate({ id: this.id, address: 'a', salt: this.id, stages: [...stages] }, one);
  }

  workloads(): Map<string, Instance[]> {
    const all = new Map<string, Instance[]>();
    for (const one of this.fleet) {
      const known = all.get(one.workload);
      if (known === undefined) all.set(one.workload, [one]);
      else known.push(one);
    }
    return all;
  }

  names(stages: readonly ReleaseStage[] = this.told): string[] {
    return stages.flatMap(({ named = [] }) => named);
  }

  /** How many named slots of a workload nobody holds: those that are kept, or those that are not. */
  away(workload: string, isKept = true): number {
    const named = this.names().filter((name) => name.startsWith(`${workload}/`));
    if (named.length === 0) return 0;
    const held = new Set(this.fleet.map((one) => slotName(one.workload, one.slot)));
    const away = named.filter((name) => !held.has(name) && this.kept.has(name) === isKept);
    return new Set(away).size;
  }

  /** Whether as many left as may be the version's doing: a stage takes at least one, and that many anew. */
  isSpent(workload: string): boolean {
    return this.away(workload, false) > 1;
  }

  /** What always holds of what follows; takes it as told. */
  look(): void {
    const next = this.reach();
    expect(this.fleet.filter((one) => this.is(one) && !this.is(one, next))).toEqual([]);
    const wrong: string[] = [];
    for (const [workload, all] of this.workloads()) {
      const before = all.filter((one) => this.is(one));
      const after = all.filter((one) => this.is(one, next));
      const wanted = this.stages.slice(0, this.stage + 1);
      const isAny = all.some(({ labels }) => wanted.some((each) => isSelected(each, labels)));
      const isNone = isAny && after.length === 0;
      if (isNone && this.away(workload) === 0 && !this.isSpent(workload))
        wrong.push(`none of ${workload}`);
      const isAll = after.length === all.length && before.length < all.length;
      if (all.length > 1 && isAll) wrong.push(`all of ${workload}`);
    }
    expect(wrong).toEqual([]);
    this.told = next;
    expect(this.reach()).toEqual(next);
    this.fleet = this.fleet.toReversed();
    expect(this.reach()).toEqual(next);
    expect(new Set(this.names()).size).toBeLessThanOrEqual(2_000);
  }

  /** It is there no more; `isKept`: its slot is kept for whoever comes in its place. */
  goes(which: Instance, isKept: boolean): void {
    this.fleet = this.fleet.filter((one) => one !== which);
    const name = slotName(which.workload, which.slot);
    if (isKept) this.kept.add(name);
    else this.kept.delete(name);
  }

  take(step: Step): void {
    switch (step.kind) {
      case 'join': {
        const workload = `w${step.workload}`;
        const held = new Set(
          this.fleet.filter((one) => one.workload === workload).map(({ slot }) => slot),
        );
        let slot = 0;
        while (held.has(slot)) slot += 1;
        const fresh = instance(workload, slot, REGIONS[step.region]);
        this.fleet.push(fresh);
        const isNamed = this.names().includes(slotName(workload, slot));
        if (!isNamed) expect(this.is(fresh)).toBe(false);
        return;
      }
      case 'die':
      case 'leave':
      case 'replace': {
        const which = this.fleet[step.which % Math.max(1, this.fleet.length)];
        if (which === undefined) return;
        this.goes(which, step.kind === 'die');
        if (step.kind !== 'replace') return;
        this.fleet.push(instance(which.workload, which.slot, REGIONS[step.region]));
        return;
      }
      case 'expire':
        this.kept.clear();
        return;
      case 'advance':
        if (this.stage < this.stages.length - 2) this.stage += 1;
        return this.look();
      case 'grow':
        return this.look();
    }
  }
}

const places = fc
  .record({
    id: fc.string({ minLength: 1, maxLength: 8 }),
    stages: fc.array(stage, { minLength: 1, maxLength: 4 }),
    sizes: fc.array(fc.nat({ max: 12 }), { maxLength: 4 }),
  })
  .map(({ id, stages, sizes }) => ({ id, stages: [...stages, LAST], sizes }));

describe('the stages of a release at an address', () => {
  it('keep their promises whoever comes and goes', () => {
    fc.assert(
      fc.property(places, fc.array(step, { maxLength: 40 }), ({ id, stages, sizes }, steps) => {
        const place = new Place(id, stages, fleetOf(...sizes));
        place.look();
        for (const each of steps) place.take(each);
        place.stage = stages.length - 1;
        const last = place.reach();
        expect(place.fleet.every((one) => place.is(one, last))).toBe(true);
        expect(place.names(last)).toEqual([]);
      }),
      { seed, numRuns: 300 },
    );
  });

  it('take just what each workload lacks for its share', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: BUCKETS }),
        fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 5 }),
        fc.array(step, { maxLength: 20 }),
        (id, points, sizes, steps) => {
          const stages = [{ percent: points / 100, bakeMs: 0 }, LAST];
          const place = new Place(id, stages, fleetOf(...sizes));
          place.told = place.reach();
          for (const each of steps) if (each.kind !== 'advance') place.take(each);
          const next = place.reach();
          for (const [workload, all] of place.workloads()) {
            const most = Math.max(1, all.length - 1);
            const wanted = Math.min(most, Math.max(1, Math.ceil((points * all.length) / BUCKETS)));
            const before = all.filter((one) => place.is(one)).length;
            const spent = Math.max(0, place.away(workload, false) - wanted);
            const lacks = Math.max(0, wanted - before - place.away(workload) - spent);
            const free = all.length - before - (all.length > 1 ? 1 : 0);
            const after = all.filter((one) => place.is(one, next)).length;
            expect(after).toBe(before + Math.min(lacks, Math.max(0, free)));
          }
        },
      ),
      { seed, numRuns: 300 },
    );
  });

  it('are exact while whoever is replaced was not away for long, and named nobody else', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: BUCKETS }),
        fc.array(fc.nat({ max: 40 }), { maxLength: 30 }),
        (id, points, churn) => {
          const place = new Place(id, [{ percent: points / 100, bakeMs: 0 }, LAST], fleetOf(40));
          place.look();
          const { told } = place;
          const dead: Instance[] = [];
          for (const which of churn) {
            const back = which === 40 ? dead.shift() : undefined;
            const gone = place.fleet[which % Math.max(1, place.fleet.length)];
            if (back !== undefined) place.fleet.push(back);
            else if (gone !== undefined) {
              dead.push(gone);
              place.goes(gone, true);
            }
            place.told = place.reach();
          }
          place.fleet.push(...dead);
          expect(place.reach()).toEqual(told);
        },
      ),
      { seed, numRuns: 100 },
    );
  });

  it('have no more than their share and as many as slots were given away at one time', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(step, { maxLength: 60 }),
        (id, count, steps) => {
          const place = new Place(id, [{ count, bakeMs: 0 }, LAST], fleetOf(12));
          place.look();
          let most = 0;
          for (const each of steps) {
            place.take('workload' in each ? { ...each, workload: 0 } : each);
            most = Math.max(most, place.away('w0', false));
            place.look();
            expect(place.fleet.filter((one) => place.is(one)).length).toBeLessThanOrEqual(
              count + most,
            );
          }
        },
      ),
      { seed, numRuns: 300 },
    );
  });

  it('take the lowest buckets first: another slot for another release', () => {
    const stages = [{ count: 1, bakeMs: 0 }, LAST];
    const first = (id: string): string[] => {
      const place = new Place(id, stages, fleetOf(8));
      return place.names(place.reach());
    };
    const ids = Array.from({ length: 40 }, (_, at) => `release-${at}`);
    expect(new Set(ids.flatMap(first)).size).toBe(8);
  });

  it('take no other in the place of a named slot while it is kept, and then just as many', () => {
    const place = new Place('r', [{ percent: 30, bakeMs: 0 }, LAST], fleetOf(10));
    place.told = place.reach();
    const named = place.names();
    for (const one of place.fleet.filter((each) => place.is(each))) place.goes(one, true);
    expect(place.fleet).toHaveLength(7);
    expect(place.reach()).toEqual(place.told);
    place.kept.delete(named[0]!);
    expect(place.names(place.reach())).toEqual([...named, expect.any(String)]);
    place.kept.clear();
    expect(place.names(place.reach())).toHaveLength(6);
    place.fleet.push(...fleetOf(10).filter((one) => place.is(one)));
    expect(place.names(place.reach())).toEqual(named);
  });

  it('take the last one of a workload whose candidate has left, and whoever comes to its slot', () => {
    const place = new Place('r', [{ count: 1, bakeMs: 0 }, LAST], fleetOf(2));
    place.look();
    const [first] = place.fleet.filter((one) => place.is(one));
    place.goes(first!, true);
    place.look();
    expect(place.fleet.map((one) => place.is(one))).toEqual([false]);
    place.kept.clear();
    place.look();
    expect(place.fleet.map((one) => place.is(one))).toEqual([true]);
    const third = instance('w0', 2);
    place.fleet.push(first!, third);
    place.look();
    expect(place.fleet.filter((one) => !place.is(one))).toEqual([third]);
  });

  it('take whoever holds a named slot that another instance matches no more', () => {
    const stages: Stage[] = [
      { percent: 50, selector: { region: ['eu'] }, bakeMs: 0 },
      { percent: 50, bakeMs: 0 },
      LAST,
    ];
    const place = new Place('r', stages, [instance('w', 0, 'eu')]);
    place.told = place.reach();
    place.fleet = [instance('w', 0, 'us')];
    expect(place.is(place.fleet[0]!)).toBe(false);
    place.stage = 1;
    place.look();
    expect(place.is(place.fleet[0]!)).toBe(true);
  });

  it('never take all of a workload by one selector after the other', () => {
    const stages: Stage[] = [
      { percent: 100, selector: { region: ['eu'] }, bakeMs: 0 },
      { percent: 100, selector: { region: ['us'] }, bakeMs: 0 },
      LAST,
    ];
    const place = new Place('r', stages, [instance('w', 0, 'eu'), instance('w', 1, 'us')]);
    place.told = place.reach();
    place.stage = 1;
    expect(place.names(place.reach())).toEqual(['w/0']);
  });

  it('count two processes of one consumer, on one slot, once', () => {
    const twice = [instance('w', 0), instance('w', 0), instance('w', 1)];
    const place = new Place('r', [{ count: 2, bakeMs: 0 }, LAST], twice);
    expect(place.names(place.reach())).toHaveLength(1);
  });
});

describe('a release at an address with many instances', () => {
  it('takes its share of one workload of 10,000, hashed, and a little more at most', () => {
    const stages = [1, 5, 25, 60].map((percent): Stage => ({ percent, bakeMs: 0 }));
    const place = new Place('big', [...stages, LAST], fleetOf(10_000));
    for (const [at, { percent = 0 }] of stages.entries()) {
      place.stage = at;
      place.look();
      const reached = place.fleet.filter((one) => place.is(one)).length;
      expect(reached).toBeGreaterThanOrEqual(percent * 100);
      expect(reached).toBeLessThan(percent * 100 + (percent < 11 ? 1 : 200));
    }
    expect(place.told.map(({ basisPoints }) => basisPoints)).toEqual([0, 0, 2_500, 6_000]);
  });

  it('gives as many names as fit, one to each workload before a second to any', () => {
    const sizes = Array.from({ length: 3_000 }, () => 3);
    for (const first of [{ count: 2 }, { percent: 1 }, { percent: 60 }]) {
      const place = new Place('wide', [{ ...first, bakeMs: 0 }, LAST], fleetOf(...sizes));
      place.told = place.reach();
      expect(place.names()).toHaveLength(2_000);
      const named = new Set(place.names().map((name) => name.split('/')[0]));
      expect(named.size).toBe(2_000);
      const all = [...place.workloads().values()];
      expect(all.filter((each) => each.every((one) => place.is(one)))).toEqual([]);
      expect(place.reach()).toEqual(place.told);
    }
  });

  it('has a candidate of every workload, and all of none, though hashes choose', () => {
    const sizes = Array.from({ length: 1_200 }, (_, at) => (at % 3) + 1);
    const stages = [{ percent: 10, bakeMs: 0 }, { percent: 50, bakeMs: 0 }, LAST];
    const place = new Place('wide', stages, fleetOf(...sizes));
    place.look();
    expect(place.told[0]?.basisPoints).toBeGreaterThan(0);
    place.stage = 1;
    place.look();
    place.fleet = fleetOf(...sizes.map((size) => (size > 1 ? size + 3 : size)));
    place.look();
  });

  it('has no more names altogether when workloads of an earlier stage grow later', () => {
    const stages = [{ count: 1, bakeMs: 0 }, { count: 2, bakeMs: 0 }, LAST];
    const place = new Place('late', stages, fleetOf(...Array.from({ length: 900 }, () => 4)));
    place.told = place.reach();
    place.stage = 1;
    place.told = place.reach();
    expect(place.names()).toHaveLength(1_800);
    place.fleet = fleetOf(...Array.from({ length: 2_500 }, () => 4));
    place.told = place.reach();
    expect(place.names()).toHaveLength(2_000);
  });

  it('takes none in the place of one that hashes chose and that is gone', () => {
    const place = new Place('gone', [{ percent: 20, bakeMs: 0 }, LAST], fleetOf(10_000, 2));
    place.told = place.reach();
    expect(place.told[0]?.basisPoints).toBe(2_000);
    const dead = new Set(place.fleet.filter((one) => place.is(one)).slice(0, 300));
    place.fleet = place.fleet.filter((one) => !dead.has(one));
    expect(place.reach()).toEqual(place.told);
    place.fleet.push(...fleetOf(0, 0, 4));
    place.told = place.reach();
    expect(place.fleet.some((one) => one.workload === 'w2' && place.is(one))).toBe(true);
  });
});
