import type { SnapshotRelease } from '@pawl/contracts';
import { INITIAL_RELEASE } from '@pawl/domain';
import type { ReleaseState, StagedRelease } from '@pawl/domain';
import type { Fence } from '../sharding/fence.js';
import { PAUSED_BY_RESTORE } from '../sharding/truth-store.port.js';
import type {
  AddressImage,
  Changeset,
  NewDefinition,
  NewSnapshot,
} from '../sharding/truth-store.port.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import {
  AT,
  HASH,
  changes,
  definition,
  expectCommitted,
  owned,
  snapshot,
  text,
} from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

const APP = 'acme/app';
/** Labels may have any characters. */
const ODD = { 'zone "\u0000': ['\u0000', '😀', ''], area: ['eu'], id: ['"id":"x"'] };

const staged: StagedRelease = {
  strategy: 'inline',
  stages: [
    { selector: ODD, count: 3, bakeMs: 0 },
    { percent: 0.01, bakeMs: 604_800_000 },
    { percent: 100, bakeMs: 60_000 },
  ],
  gates: [
    { kind: 'rejections', limit: 0, onFailure: 'abort' },
    { kind: 'applied', percent: 99.5, withinMs: 1_000, onFailure: 'pause' },
  ],
  ...{ id: 'release-1', candidateVersion: 2, stage: 0, pausedFor: null },
  held: { id: 'it is sick' },
};

const stable: ReleaseState = {
  ...INITIAL_RELEASE,
  releaseVersion: 1,
  stableVersion: 1,
  contributionAt: 1,
};
const rolling: ReleaseState = {
  ...stable,
  state: 'rolling',
  releaseVersion: 2,
  contributionAt: 2,
  staged,
};

function released(next: ReleaseState, address = APP): Partial<Changeset> {
  return { releases: [{ address: text(address), next }] };
}

function written(one: NewDefinition): Partial<Changeset> {
  return { definitions: [one] };
}

/** Commits all of these, in order. */
async function write(
  { truth }: TruthSubject,
  fence: Fence,
  parts: readonly Partial<Changeset>[],
): Promise<void> {
  const group = parts.map((each) => changes('acme', each));
  expectCommitted(await truth.commitAll(fence, group), 'what is there');
}

/** An address with these definition versions, of which the first is stable. */
async function withVersions(subject: TruthSubject, versions: readonly number[]): Promise<Fence> {
  const fence = await owned(subject, 'acme');
  const definitions = versions.map((version) => definition(APP, version, `{"v":${version}}`));
  await write(subject, fence, [...definitions.map(written), released(stable)]);
  return fence;
}

/** What both ways of loading tell of {@link APP}, which must be the same. */
async function load({ truth }: TruthSubject, fence: Fence): Promise<AddressImage | undefined> {
  const ofShard = (await truth.loadShard(fence)).find(({ address }) => address === APP);
  const ofRoot = (await truth.loadRoot(fence, 'acme')).find(({ address }) => address === APP);
  expectSame(ofRoot, ofShard, 'the root as the shard');
  return ofShard;
}

/** Writes each of these states in turn, and looks at what is loaded then. */
async function expectEach(
  subject: TruthSubject,
  fence: Fence,
  states: readonly Partial<ReleaseState>[],
): Promise<void> {
  let state = stable;
  for (const change of states) {
    state = { ...state, ...change, releaseVersion: state.releaseVersion + 1 };
    const outcome = await subject.truth.commit(fence, changes('acme', released(state)));
    expectCommitted(outcome, `release version ${state.releaseVersion}`);
    const image = await load(subject, fence);
    expectSame(image?.release, state, 'release state');
    const candidate = image?.candidate ?? null;
    expectSame(candidate?.version ?? null, state.staged?.candidateVersion ?? null, 'candidate');
    const value = candidate === null ? undefined : { v: candidate.version };
    expectSame(candidate?.document?.value, value, 'document of the candidate');
    expectSame(image?.stable?.version, state.stableVersion, 'stable version');
  }
}

const releaseOf = (id: string, address: string): SnapshotRelease => ({
  id,
  address,
  salt: id,
  stages: [
    { basisPoints: 0, named: ['web/0', 'web/w-1'], selector: ODD },
    { basisPoints: 10_000, selector: { area: ['eu', 'us'] } },
  ],
});

/** A snapshot with two releases on the way to it, and so four cohorts. */
function stagedSnapshot(version: number): NewSnapshot {
  const head = { hash: 'b'.repeat(64), size: 12, absent: false };
  return {
    ...snapshot(APP, version),
    inputs: [
      { address: 'acme', definitionVersion: 1, releaseVersion: 2, loweredAt: null, candidate: 2 },
      { address: APP, definitionVersion: null, releaseVersion: 1, loweredAt: 1, candidate: 1 },
    ],
    releases: [releaseOf('b', 'acme'), releaseOf('a', APP)],
    cohorts: { b: head, 'a+b': { hash: HASH, size: 0, absent: true }, a: { ...head, size: 3 } },
  };
}

/** A release of this state at an address of its own, of which nothing was stable before. */
async function begin(
  { truth }: TruthSubject,
  fence: Fence,
  { address, state }: { readonly address: string; readonly state: ReleaseState },
): Promise<void> {
  const [root = ''] = address.split('/', 1);
  const definitions = [1, 2].map((version) => definition(address, version, '{}'));
  const next = { ...state, releaseVersion: 1, stableVersion: null };
  const parts = [...definitions.map(written), released(next, address)];
  const group = parts.map((each) => changes(root, each));
  expectCommitted(await truth.commitAll(fence, group), `the release of ${address}`);
}

/** What every truth store promises of releases in stages. */
export const truthStagedCases: readonly ConformanceCase<TruthSubject>[] = [
  {
    name: 'keeps a release in stages from its first stage to its end as stable, with its candidate',
    run: async (subject) => {
      const fence = await withVersions(subject, [1, 2]);
      expectSame((await load(subject, fence))?.candidate, null, 'candidate before');
      const advanced = { ...staged, stage: 1 };
      await expectEach(subject, fence, [
        rolling,
        { staged: advanced },
        { state: 'paused', staged: { ...advanced, pausedFor: 'wait for "ann" \u2028 and 😀' } },
        { state: 'rolling', staged: { ...advanced, expireMs: 2_592_000_000 } },
        { state: 'paused', staged: { ...advanced, expireMs: 60_000, pausedAt: AT } },
        { state: 'rolling', staged: advanced },
        { staged: { ...staged, stage: 2 } },
        { state: 'idle', stableVersion: 2, contributionAt: 9, staged: null },
      ]);
    },
  },
  {
    name: 'keeps nothing of a release in stages that was aborted',
    run: async (subject) => {
      const fence = await withVersions(subject, [1, 2]);
      await expectEach(subject, fence, [rolling, { state: 'idle', staged: null, loweredAt: 3 }]);
    },
  },
  {
    name: 'loads newest, stable and candidate where they differ, each with its schema, and shared ones',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      const one = { hash: 'c'.repeat(64), text: '{"title":"one"}' };
      const two = { hash: 'd'.repeat(64), text: '{"title":"two"}' };
      const three = { hash: 'e'.repeat(64), text: '{"title":"three"}' };
      // Schemas of stable (1), candidate (2) and newest (3).
      const kinds = [
        [one, two, three],
        [one, one, three],
        [one, three, three],
        [three, two, three],
        [three, three, three],
        [one, null, three],
        [null, two, null],
      ];
      const names = kinds.map((_, index) => `acme/app${index}`);
      for (const [index, schemas] of kinds.entries()) {
        const name = names[index] ?? '';
        const definitions = schemas.map((schema, at) => ({
          ...definition(name, at + 1, JSON.stringify({ v: at + 1 })),
          schema,
        }));
        const states = [stable, rolling].map((next) => released(next, name));
        await write(subject, fence, [...definitions.map(written), ...states]);
      }
      for (const images of [await truth.loadShard(fence), await truth.loadRoot(fence, 'acme')]) {
        for (const [index, schemas] of kinds.entries()) {
          const image = images.find(({ address }) => address === names[index]);
          const of = [image?.stable, image?.candidate, image?.newest];
          expectSame(
            of.map((each) => [each?.version, each?.document?.value, each?.schema ?? null]),
            schemas.map((schema, at) => [
              at + 1,
              { v: at + 1 },
              schema && { hash: schema.hash, schema: JSON.parse(schema.text) as unknown },
            ]),
            `definitions of ${names[index]}`,
          );
        }
      }
    },
  },
  {
    name: 'loads the candidate of a scope of which nothing was stable before',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const next = { ...rolling, releaseVersion: 1, stableVersion: null };
      const definitions = [definition(APP, 1, '{}'), definition(APP, 2, null)];
      await write(subject, fence, [...definitions.map(written), released(next)]);
      const image = await load(subject, fence);
      const { stable: before, candidate } = image ?? {};
      expectSame([before, candidate?.version, candidate?.document], [null, 2, null], 'loaded');
    },
  },
  {
    name: 'gives back a snapshot with its releases and cohorts as it was written, until the next',
    run: async (subject) => {
      const fence = await withVersions(subject, [1, 2]);
      const many = ['acme/x', 'acme/y'].map((name) => ({
        ...stagedSnapshot(1),
        address: text(name),
      }));
      const opened = many.map(({ address }) => address);
      const parts = { opened, snapshots: [stagedSnapshot(1), ...many] };
      expectCommitted(await subject.truth.commit(fence, changes('acme', parts)), 'outcome');
      const images = await subject.truth.loadRoot(fence, 'acme');
      for (const head of parts.snapshots) {
        const image = images.find(({ address }) => address === head.address);
        expectSame(image?.snapshot, head, `snapshot of ${head.address}`);
        expectSame(
          image?.snapshot?.releases.map(({ id }) => id),
          ['b', 'a'],
          'releases from the root down',
        );
      }
      for (const head of [snapshot(APP, 2), stagedSnapshot(3)]) {
        const next = changes('acme', { snapshots: [head] });
        expectCommitted(await subject.truth.commitAll(fence, [next]), 'outcome of the next');
        expectSame((await load(subject, fence))?.snapshot, head, 'the next');
      }
    },
  },
  {
    name: 'changes nothing of a release in stages, nor of a snapshot of it, where there is a conflict',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await withVersions(subject, [1, 2]);
      const begun = changes('acme', { ...released(rolling), snapshots: [stagedSnapshot(4)] });
      expectCommitted(await truth.commit(fence, begun), 'the first stage');
      const elsewhere = await owned(subject, 'beta');
      await begin(subject, elsewhere, { address: 'beta', state: rolling });
      const before = await load(subject, fence);
      const ended = { ...rolling, state: 'idle', stableVersion: 2, staged: null } as const;
      const next = { ...ended, releaseVersion: 3 };
      const bad: Partial<Changeset>[] = [
        { ...released(ended), snapshots: [snapshot(APP, 5)] },
        { ...released({ ...ended, releaseVersion: 4 }), snapshots: [snapshot(APP, 5)] },
        { ...released(next), snapshots: [snapshot(APP, 4)] },
      ];
      for (const each of bad) {
        const change = changes('acme', each);
        expectSame((await truth.commit(fence, change)).kind, 'conflict', 'outcome');
        const good = changes('acme', { definitions: [definition('acme/new', 1, '{}')] });
        const group = await truth.commitAll(fence, [good, change]);
        expectSame(group.kind, 'conflict', 'outcome of a group');
        expectSame(await load(subject, fence), before, 'afterwards');
      }
      const good = changes('acme', { ...released(next), snapshots: [snapshot(APP, 5)] });
      expectCommitted(await truth.commit(fence, good), 'without a conflict');
    },
  },
  {
    name: 'pauses a release in stages when a restore is accepted, once and in that shard only',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await withVersions(subject, [1, 2]);
      const begun = changes('acme', { ...released(rolling), snapshots: [stagedSnapshot(4)] });
      expectCommitted(await truth.commit(fence, begun), 'the first stage');
      const elsewhere = await owned(subject, 'beta');
      await begin(subject, elsewhere, { address: 'beta', state: rolling });
      const before = await load(subject, fence);
      const of = { held: { generation: 1, version: 9 }, has: { generation: 1, version: 4 } };
      await truth.declareBehind(fence, 1, [{ address: text(APP), ...of }]);
      const seen = { generation: 1, shards: [fence.shard] };
      const acceptance = { author: 'ada', reason: 'lost', at: AT, seen };
      expectSame(await truth.acceptRestore(acceptance), { generation: 2 }, 'accepted');
      const held = { ...staged, pausedFor: PAUSED_BY_RESTORE };
      const paused = { ...rolling, state: 'paused', releaseVersion: 3, staged: held } as const;
      expectSame(await load(subject, fence), before && { ...before, release: paused }, 'then');
      const [other] = await truth.loadRoot(elsewhere, 'beta');
      expectSame(other?.release.state, 'rolling', 'in a shard that lacked nothing');
      const [entry] = await truth.readHistory(fence, text(APP), { limit: 1 });
      const { sequence: _, ...told } = entry ?? { sequence: '' };
      expectSame(
        told,
        {
          ...{ address: APP, at: AT, author: 'ada', kind: 'release', action: 'pause' },
          ...{ version: 2, releaseVersion: 3, reason: PAUSED_BY_RESTORE },
          releaseId: 'release-1',
        },
        'history',
      );
      const next = { ...rolling, releaseVersion: 4, staged: { ...staged, stage: 1 } };
      const snapshots = [{ ...stagedSnapshot(1), generation: 2 }];
      const advanced = changes('acme', { ...released(next), snapshots });
      expectCommitted(await truth.commit(fence, advanced), 'the next stage');
      expectSame((await load(subject, fence))?.release, next, 'the next stage');
    },
  },
  {
    name: 'lists the releases under way over all shards, in order of address, until they end',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await withVersions(subject, [1, 2]);
      expectSame(await truth.readReleases({ limit: 10 }), [], 'none');
      await write(subject, fence, [released(rolling)]);
      const pausedStage = { ...staged, id: 'release-2', pausedFor: 'wait for "ann" 😀' };
      const paused = { ...rolling, state: 'paused', staged: pausedStage } as const;
      await begin(subject, fence, { address: 'acme/app/x', state: paused });
      await begin(subject, fence, { address: 'acme/app:limits', state: rolling });
      const first = {
        ...{ address: text(APP), releaseVersion: 2, stableVersion: 1 },
        ...{ staged, queued: null },
      };
      const listed = { ...first, state: 'rolling' } as const;
      const others = { ...listed, releaseVersion: 1, stableVersion: null };
      const all = [
        listed,
        { ...others, address: text('acme/app/x'), state: 'paused', staged: pausedStage } as const,
        { ...others, address: text('acme/app:limits') },
      ];
      expectSame(await truth.readReleases({ limit: 10 }), all, 'all');
      expectSame(await truth.readReleases({ limit: 1 }), all.slice(0, 1), 'the first page');
      const after = text(APP);
      expectSame(await truth.readReleases({ limit: 1, after }), all.slice(1, 2), 'the next');
      const ofState = await truth.readReleases({ limit: 10, state: 'paused' });
      expectSame(ofState, all.slice(1, 2), 'those that are paused');
      const ended = { ...rolling, state: 'idle', releaseVersion: 3, staged: null } as const;
      await write(subject, fence, [released(ended)]);
      expectSame(await truth.readReleases({ limit: 10 }), all.slice(1), 'without the ended one');
    },
  },
];
