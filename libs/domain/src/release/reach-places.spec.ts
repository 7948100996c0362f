import { isCandidate, slotName } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { reachPlaces } from './reach-places.js';
import type { ReachedPlace } from './reach-places.js';
import type { Instance } from './reach-stages.js';

const canary = {
  id: 'r1',
  stage: 0,
  stages: [
    { count: 1, bakeMs: 0 },
    { percent: 25, bakeMs: 0 },
    { percent: 100, bakeMs: 0 },
  ],
};
const half = { ...canary, stage: 1 };
const last = { ...canary, stage: 2 };

const instance = (workload: string, slot: number): Instance => ({ workload, slot, labels: {} });
const place = (instances: readonly Instance[], told: ReachedPlace['told'] = []): ReachedPlace => ({
  instances,
  told,
});

/** The names of the candidates at each place. */
function taken(release: typeof canary, places: readonly ReachedPlace[]): string[][] {
  return reachPlaces(release, places).map((stages, at) =>
    (places[at]?.instances ?? [])
      .filter((one) =>
        isCandidate({ id: 'r1', address: 'acme', salt: 'r1', stages: [...stages] }, one),
      )
      .map(({ workload, slot }) => slotName(workload, slot)),
  );
}

describe('reachPlaces', () => {
  it('takes one instance of a workload whose instances are at an address each', () => {
    const tenants = Array.from({ length: 40 }, (_, slot) => place([instance('checkout', slot)]));
    expect(taken(canary, tenants).flat()).toHaveLength(1);
    expect(taken(half, tenants).flat()).toHaveLength(10);
    expect(taken(last, tenants).flat()).toHaveLength(40);
  });

  it('takes one of each of three thousand workloads at an address each', () => {
    const services = Array.from({ length: 3_000 }, (_, at) =>
      place([0, 1, 2].map((slot) => instance(`s${at}`, slot))),
    );
    expect(taken(canary, services).every((names) => names.length === 1)).toBe(true);
  });

  it('takes one of each also where one workload is at all of their addresses', () => {
    const gateway = instance('gateway', 0);
    const services = Array.from({ length: 3_000 }, (_, at) =>
      place([0, 1, 2].map((slot) => instance(`s${at}`, slot)).concat(gateway)),
    );
    const names = taken(canary, services).map((all) => all.filter((name) => name.startsWith('s')));
    expect(names.every((all) => all.length === 1)).toBe(true);
  });

  it('takes an instance that is at several addresses at all of them', () => {
    const everywhere = [0, 1, 2, 3].map((slot) => instance('checkout', slot));
    const [here, there] = taken(canary, [place(everywhere), place(everywhere), place([])]);
    expect(here).toHaveLength(1);
    expect(there).toEqual(here);
  });

  it('counts what was told at another address, and tells it where the slot has come to', () => {
    const [first = []] = reachPlaces(canary, [place([instance('checkout', 0)])]);
    const before = [
      place([instance('checkout', 0)], first),
      place([instance('checkout', 1), instance('checkout', 0)]),
    ];
    expect(taken(canary, before)).toEqual([['checkout/0'], ['checkout/0']]);
  });

  it('takes another, at any of the addresses, for a slot that is not kept', () => {
    const places = Array.from({ length: 4 }, (_, slot) => place([instance('checkout', slot)]));
    const once = reachPlaces(canary, places);
    const at = once.findIndex(([stage]) => stage?.named !== undefined);
    const gone = places.map(({ instances }, index) =>
      place(index === at ? [] : instances, once[index]),
    );
    const name = slotName('checkout', at);
    expect(reachPlaces(canary, gone, new Set([name]))).toEqual(once);
    const names = reachPlaces(canary, gone, new Set()).map(([stage]) => stage?.named ?? []);
    expect(names[at]).toEqual([name]);
    expect(names.flat()).toHaveLength(2);
  });

  it('leaves nobody out who was told, and stays the same when nothing has changed', () => {
    const fleet = Array.from({ length: 12 }, (_, slot) =>
      place([instance('a', slot), instance('b', slot)]),
    );
    const once = reachPlaces(half, fleet);
    const told = fleet.map(({ instances }, at) => place(instances, once[at]));
    expect(reachPlaces(half, told)).toEqual(once);
    const away = told.map((one, at) => (at % 2 === 0 ? one : place([], one.told)));
    for (const [at, stages] of reachPlaces(half, away).entries()) {
      for (const [index, { named = [] }] of (once[at] ?? []).entries()) {
        expect(stages[index]?.named ?? []).toEqual(expect.arrayContaining([...named]));
      }
    }
  });
});
