import { INITIAL_RELEASE } from '@pawl/domain';
import type { QueuedRelease, ReleaseState } from '@pawl/domain';
import type { Fence } from '../sharding/fence.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import { AT, changes, definition, expectCommitted, owned, text } from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

const APP = 'acme/app';

const queued: QueuedRelease = {
  ...{ id: 'release-9', targetVersion: 2, by: 'ann', queuedAt: AT, beginAt: null, generation: 1 },
  ...{ reason: 'for "ann" \u2028 and 😀\u0000', freezeException: null },
  strategy: {
    strategy: 'slow',
    stages: [
      { selector: { 'zone "\u0000': ['\u0000', '😀'] }, count: 3, bakeMs: 0 },
      { percent: 100, bakeMs: 60_000 },
    ],
    gates: [{ kind: 'rejections', limit: 0, onFailure: 'abort' }],
  },
};

async function write(
  { truth }: TruthSubject,
  fence: Fence,
  next: ReleaseState,
  address = APP,
): Promise<void> {
  const change = changes('acme', { releases: [{ address: text(address), next }] });
  expectCommitted(await truth.commit(fence, change), `release version ${next.releaseVersion}`);
}

async function withVersions(subject: TruthSubject, address = APP): Promise<Fence> {
  const fence = await owned(subject, 'acme');
  const group = [1, 2, 3].map((version) =>
    changes('acme', { definitions: [definition(address, version, '{}')] }),
  );
  expectCommitted(await subject.truth.commitAll(fence, group), 'definitions');
  return fence;
}

/** What every truth store promises of promotes that begin later. */
export const truthQueuedCases: readonly ConformanceCase<TruthSubject>[] = [
  {
    name: 'keeps a promote that begins later, in every state, until it is there no more',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await withVersions(subject);
      const staged = {
        ...{ id: 'release-1', candidateVersion: 1, stage: 0, pausedFor: null },
        ...{ strategy: 'inline', stages: [{ percent: 100, bakeMs: 0 }], gates: [] },
      };
      const later = { ...queued, strategy: null, beginAt: AT, freezeException: 'agreed' };
      const states: Partial<ReleaseState>[] = [
        { queued },
        { state: 'rolling', staged, queued: later },
        { state: 'paused', staged, queued: { ...later, targetVersion: 3 } },
        { state: 'idle', staged: null, queued },
        { queued: null },
      ];
      for (const [at, change] of states.entries()) {
        const next = { ...INITIAL_RELEASE, ...change, releaseVersion: at + 1 };
        await write(subject, fence, next);
        for (const images of [await truth.loadShard(fence), await truth.loadRoot(fence, 'acme')]) {
          const image = images.find(({ address }) => address === APP);
          expectSame(image?.release, next, 'release state');
          expectSame(image?.candidate?.version ?? null, change.staged ? 1 : null, 'candidate');
        }
      }
    },
  },
  {
    name: 'changes nothing of a promote that begins later where there is a conflict',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await withVersions(subject);
      const next = { ...INITIAL_RELEASE, releaseVersion: 1, queued };
      await write(subject, fence, next);
      for (const releaseVersion of [1, 3]) {
        const bad = { ...next, releaseVersion, queued: null };
        const change = changes('acme', { releases: [{ address: text(APP), next: bad }] });
        expectSame((await truth.commit(fence, change)).kind, 'conflict', 'outcome');
      }
      const [image] = await truth.loadShard(fence);
      expectSame(image?.release, next, 'afterwards');
    },
  },
  {
    name: 'lists what begins later beside what is under way, in order of address',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await withVersions(subject);
      await withVersions(subject, 'acme/app/x');
      await withVersions(subject, 'acme/app/y');
      const staged = {
        ...{ id: 'release-1', candidateVersion: 1, stage: 0, pausedFor: null },
        ...{ strategy: 'inline', stages: [{ percent: 100, bakeMs: 0 }], gates: [] },
      };
      const first = { ...INITIAL_RELEASE, releaseVersion: 1 };
      await write(subject, fence, { ...first, queued });
      await write(subject, fence, { ...first, state: 'rolling', staged, queued }, 'acme/app/x');
      await write(subject, fence, { ...first, state: 'paused', staged }, 'acme/app/y');
      const of = { releaseVersion: 1, stableVersion: null };
      const all = [
        { ...of, address: text(APP), state: 'idle', staged: null, queued },
        { ...of, address: text('acme/app/x'), state: 'rolling', staged, queued },
        { ...of, address: text('acme/app/y'), state: 'paused', staged, queued: null },
      ];
      expectSame(await truth.readReleases({ limit: 10 }), all, 'all');
      const after = text(APP);
      expectSame(await truth.readReleases({ limit: 1, after }), all.slice(1, 2), 'the next');
      const ofState = (state: 'queued' | 'rolling' | 'paused') =>
        truth.readReleases({ limit: 10, state });
      expectSame(await ofState('queued'), all.slice(0, 2), 'queued');
      expectSame(await ofState('rolling'), all.slice(1, 2), 'rolling');
      expectSame(await ofState('paused'), all.slice(2), 'paused');
    },
  },
];
