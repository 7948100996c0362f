import { address, canonicalize, layerAddresses } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeLayers } from '../layering/merge-layers.js';
import { layerDocument } from '../testing/documents.arbitrary.js';
import { seed } from '../testing/seed.fixture.js';
import { planTransition } from './plan-transition.js';
import { INITIAL_RELEASE } from './release-state.js';
import type { ReleaseState } from './release-state.js';

const PATH = layerAddresses(address('acme/prod/checkout'));

function after(state: ReleaseState, action: string, at: number): ReleaseState {
  const outcome = planTransition({
    ...{ state, newestVersion: 1, request: { action } },
    ...{ address: PATH[at]!.text, releaseId: 'r1', asked: { by: 'ann', at: '', generation: 1 } },
  });
  if (!outcome.ok) throw new Error(outcome.problem.detail);
  return outcome.value.next;
}

function bytes(documents: readonly JsonObject[], releases: readonly ReleaseState[]): string {
  const layers = PATH.flatMap(({ text }, at) => {
    const { state, stableVersion } = releases[at]!;
    if (state === 'disabled' || stableVersion === null) return [];
    return [{ address: text, version: stableVersion, author: 'a', document: documents[at]! }];
  });
  return canonicalize(mergeLayers(layers));
}

describe('disabling', () => {
  const documents = fc.array(layerDocument, { minLength: PATH.length, maxLength: PATH.length });

  it('a layer is as if it were not there, and enabling it gives the same bytes as before', () => {
    fc.assert(
      fc.property(documents, fc.subarray([0, 1, 2], { minLength: 1 }), (contents, chosen) => {
        const released = PATH.map((_, at) => after(INITIAL_RELEASE, 'promote', at));
        const before = bytes(contents, released);
        const away = released.map((state, at) =>
          chosen.includes(at) ? after(state, 'disable', at) : state,
        );
        const unreleased = released.map((state, at) =>
          chosen.includes(at) ? INITIAL_RELEASE : state,
        );
        expect(bytes(contents, away)).toBe(bytes(contents, unreleased));
        const back = away.map((state, at) =>
          chosen.includes(at) ? after(state, 'enable', at) : state,
        );
        expect(bytes(contents, back)).toBe(before);
      }),
      { seed, numRuns: 1000 },
    );
  });
});
