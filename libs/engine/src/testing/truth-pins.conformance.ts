import { INITIAL_RELEASE } from '@pawl/domain';
import type { Pin } from '@pawl/domain';
import type { Fence } from '../sharding/fence.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import {
  AT,
  changes,
  definition,
  expectCommitted,
  fenceOf,
  owned,
  snapshot,
  text,
} from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

const ABOVE = text('acme/app');
const BELOW = text('acme/app/eu');

function pin(version: number, ancestor = ABOVE): Pin {
  return {
    ...{ ancestor, version, releaseVersion: 4, until: AT, by: 'ann', at: AT },
    reason: 'for "eu" \u2028 and 😀\u0000',
  };
}

const pinned = (releaseVersion: number, pins: readonly Pin[]) => ({
  address: BELOW,
  next: { ...INITIAL_RELEASE, releaseVersion, pins },
});

/** Three versions of one address, the last of them stable, and one below it. */
async function withVersions(subject: TruthSubject): Promise<Fence> {
  const fence = await owned(subject, 'acme');
  const group = [1, 2, 3].map((version) =>
    changes('acme', { definitions: [definition(ABOVE, version, `{"a":${version}}`)] }),
  );
  expectCommitted(await subject.truth.commitAll(fence, group), 'definitions');
  const next = { ...INITIAL_RELEASE, releaseVersion: 1, stableVersion: 3, contributionAt: 1 };
  const rest = changes('acme', {
    definitions: [definition(BELOW, 1, '{}'), definition('acme', 1, '{"r":1}')],
    releases: [{ address: ABOVE, next }],
  });
  expectCommitted(await subject.truth.commit(fence, rest), 'the rest');
  return fence;
}

/** What an address below is pinned to, as both ways of loading tell. */
async function loaded({ truth }: TruthSubject, fence: Fence): Promise<readonly unknown[][]> {
  const told: unknown[][] = [];
  for (const images of [await truth.loadShard(fence), await truth.loadRoot(fence, 'acme')]) {
    const image = images.find(({ address }) => address === BELOW);
    const { pins } = image?.release ?? {};
    told.push([pins, image?.pinned.map(({ address, version }) => [address, version])]);
    expectSame(image?.pinned.map(({ document }) => document?.text).join(), textOf(pins), 'texts');
  }
  return told;
}

function textOf(pins: readonly Pin[] = []): string {
  return pins.map((one) => (one.ancestor === ABOVE ? `{"a":${one.version}}` : '{"r":1}')).join();
}

/** What every truth store promises of addresses that stay at versions of others. */
export const truthPinCases: readonly ConformanceCase<TruthSubject>[] = [
  {
    name: 'keeps what an address is pinned to, and loads it with the definitions of others',
    run: async (subject) => {
      const fence = await withVersions(subject);
      const some: readonly (readonly Pin[])[] = [
        [pin(1)],
        [pin(3)],
        [pin(1, text('acme')), pin(2)],
        [],
      ];
      for (const [at, pins] of some.entries()) {
        const change = changes('acme', { releases: [pinned(at + 1, pins)] });
        expectCommitted(await subject.truth.commit(fence, change), `pins ${at}`);
        const want = [pins, pins.map(({ ancestor, version }) => [ancestor, version])];
        expectSame(await loaded(subject, fence), [want, want], `pins ${at}`);
      }
    },
  },
  {
    name: 'changes nothing of a pin where there is a conflict, nor under a token that is fenced off',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await withVersions(subject);
      const first = changes('acme', { releases: [pinned(1, [pin(2)])] });
      expectCommitted(await truth.commit(fence, first), 'a pin');
      const before = await loaded(subject, fence);
      for (const releaseVersion of [1, 3]) {
        const change = changes('acme', { releases: [pinned(releaseVersion, [])] });
        expectSame((await truth.commit(fence, change)).kind, 'conflict', 'outcome');
      }
      const half = changes('acme', {
        releases: [pinned(2, []), { address: ABOVE, next: { ...INITIAL_RELEASE } }],
      });
      expectSame((await truth.commit(fence, half)).kind, 'conflict', 'half of it');
      const next = fenceOf(subject, 'acme', 20n);
      expectSame(await truth.raiseFence(next, 'node-2'), 'raised', 'the next owner');
      const late = changes('acme', { releases: [pinned(2, [])] });
      expectSame((await truth.commit(fence, late)).kind, 'fenced', 'too late');
      expectSame(await loaded(subject, next), before, 'afterwards');
    },
  },
  {
    name: 'keeps a pin and what the ancestor has for it together, with the snapshot that tells of it',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await withVersions(subject);
      const above = { ...INITIAL_RELEASE, releaseVersion: 2, stableVersion: 3, contributionAt: 1 };
      const { inputs: _, ...head } = snapshot(BELOW, 1);
      const kept = { definitionVersion: 2, releaseVersion: 2, loweredAt: 2, pinnedAt: BELOW };
      const inputs = [{ address: ABOVE, ...kept }];
      const change = changes('acme', {
        releases: [pinned(1, [pin(2)]), { address: ABOVE, next: above }],
        snapshots: [{ ...head, inputs }],
      });
      expectCommitted(await truth.commit(fence, change), 'both');
      const images = await truth.loadShard(fence);
      const of = (address: string) => images.find((image) => image.address === address);
      expectSame(of(ABOVE)?.release, above, 'the ancestor');
      expectSame(of(BELOW)?.release.pins, [pin(2)], 'the pin');
      expectSame(of(BELOW)?.snapshot?.inputs, inputs, 'inputs');
    },
  },
];
