import type { Fence } from '../sharding/fence.js';
import type { ShardMark } from '../sharding/shard-mark.js';
import type { CommitOutcome, KnownTruth, RestoreOutcome } from '../sharding/truth-store.port.js';
import { expectRejection, expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import { AT, changes, definition, fenceOf, owned, snapshot, text } from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

const ACCEPTANCE = { author: 'ada', reason: 'the disk was lost', at: AT };

/** Accepts what there is to accept. */
async function accept({ truth }: TruthSubject): Promise<RestoreOutcome> {
  const { generation, shards } = await truth.readBehind();
  return truth.acceptRestore({ ...ACCEPTANCE, seen: { generation, shards: [...shards.keys()] } });
}

function write(
  { truth }: TruthSubject,
  fence: Fence,
  version: number,
  known?: KnownTruth,
): Promise<CommitOutcome> {
  const definitions = [definition('acme', version, '{}')];
  return truth.commit(fence, changes('acme', { definitions }), known);
}

const behindOf = async ({ truth }: TruthSubject, { shard }: Fence) => {
  const why = (await truth.readBehind()).shards.get(shard);
  const { behind } = await truth.readFences([shard]);
  expectSame(behind.has(shard), why !== undefined, 'what the fences tell');
  return why;
};

async function raise(
  subject: TruthSubject,
  token: bigint,
  remembered: ShardMark | null,
): Promise<Fence> {
  const fence = fenceOf(subject, 'acme', token);
  const raised = await subject.truth.raiseFence(fence, 'node-1', remembered);
  expectSame(raised, 'raised', 'a higher fence is raised');
  return fence;
}

/** A truth that is behind what was seen elsewhere. */
export const truthBehindCases: readonly ConformanceCase<TruthSubject>[] = [
  {
    name: 'counts transactions that commit, a group as one, and nothing that is taken back',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await owned(subject, 'acme');
      const counted = [(await write(subject, fence, 1)) as unknown];
      await write(subject, fence, 7);
      const group = [2, 3].map((version) =>
        changes('acme', { definitions: [definition('acme', version, '{}')] }),
      );
      counted.push(await truth.commitAll(fence, group));
      await truth.markPublished(fence, [{ address: text('acme'), version: 1, publishedAt: AT }]);
      const committed = (commits: bigint) => ({ kind: 'committed', commits });
      expectSame(counted, [committed(1n), committed(2n)], 'outcomes');
      const { commits, generation } = await truth.readFences([fence.shard]);
      expectSame([commits.get(fence.shard), generation], [2n, 1], 'what the fences tell');
    },
  },
  {
    name: 'commits nothing for an owner that knows of more commits, or of another generation',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      await write(subject, fence, 1);
      const outcome = async (known: KnownTruth): Promise<string> =>
        (await write(subject, fence, 2, known)).kind;
      expectSame(await outcome({ generation: 1, commits: 2n }), 'fenced', 'more commits');
      expectSame(await outcome({ generation: 2, commits: 1n }), 'fenced', 'a later generation');
      expectSame(await outcome({ generation: 0, commits: 1n }), 'fenced', 'an earlier one');
      expectSame(await outcome({ generation: 1, commits: 1n }), 'committed', 'the same');
      const lost = { generation: 1, commits: 1n };
      expectSame(
        (await write(subject, fence, 3, lost)).kind,
        'committed',
        'fewer, an answer was lost',
      );
    },
  },
  {
    name: 'finds that it is behind what is remembered when the fence is raised, and keeps it',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      await write(subject, fence, 1);
      const mark = (some: Partial<ShardMark>): ShardMark => ({
        generation: 1,
        token: fence.token,
        commits: 1n,
        ...some,
      });
      const fine = [mark({}), mark({ token: 3n }), mark({ commits: 0n }), null];
      for (const [index, remembered] of fine.entries()) {
        const next = await raise(subject, 20n + BigInt(index), remembered);
        expectSame(await behindOf(subject, next), undefined, `fine ${index}`);
      }
      const earlier = mark({ generation: 0, token: 99n, commits: 99n });
      const held = await raise(subject, 30n, earlier);
      expectSame(await behindOf(subject, held), undefined, 'of an earlier generation');
      const behind = await raise(subject, 40n, mark({ commits: 5n }));
      const found = await behindOf(subject, behind);
      const has = { generation: 1, fencingToken: '30', commits: 1 };
      const remembered = { generation: 1, fencingToken: '10', commits: 5, has };
      expectSame([found?.remembered, found?.addresses], [remembered, []], 'what is behind');
      expectSame((await write(subject, behind, 2)).kind, 'behind', 'a write');
      const again = await raise(subject, 50n, null);
      expectSame(await behindOf(subject, again), found, 'after another claim');
      expectSame((await subject.truth.loadShard(again)).length, 1, 'reads go on');
      expectSame((await write(subject, again, 2)).kind, 'behind', 'a write after it');
    },
  },
  {
    name: 'remembers the highest generation, also of a shard that is read-only already',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      await write(subject, fence, 1);
      const mark = (generation: number): ShardMark => ({
        generation,
        token: fence.token,
        commits: 5n,
      });
      const first = await raise(subject, 20n, mark(1));
      const found = await behindOf(subject, first);
      const has = { generation: 1, version: 4 };
      const ahead = [{ address: 'acme/app', held: { generation: 1, version: 9 }, has }];
      await subject.truth.declareBehind(first, 1, ahead);
      // A copy of such a truth takes the place of one that was accepted since.
      const second = await raise(subject, 30n, mark(2));
      const { remembered } = (await behindOf(subject, second)) ?? {};
      expectSame([remembered?.generation, remembered?.commits], [2, 5], 'what is remembered');
      expectSame(remembered?.has, { generation: 1, fencingToken: '20', commits: 1 }, 'what it has');
      const known = { since: found?.since, remembered, addresses: ahead };
      expectSame(await behindOf(subject, second), known, 'the rest stays');
      const third = await raise(subject, 40n, mark(1));
      expectSame(await behindOf(subject, third), known, 'after a lower one');
      expectSame(await accept(subject), { generation: 3 }, 'the generation');
    },
  },
  {
    name: 'is behind a token that served, and behind what is remembered of a shard it does not know',
    run: async (subject) => {
      const unknown = { generation: 1, token: 5n as ShardMark['token'], commits: 0n };
      const fence = await raise(subject, 10n, unknown);
      expectSame((await behindOf(subject, fence))?.remembered?.fencingToken, '5', 'remembered');
      expectSame((await write(subject, fence, 1)).kind, 'behind', 'a write');
      expectSame(await accept(subject), { generation: 2 }, 'the generation');
      expectSame((await write(subject, fence, 1)).kind, 'committed', 'a write then');
    },
  },
  {
    name: 'is read-only once it is declared, under the fence and in the generation only',
    run: async (subject) => {
      const { truth } = subject;
      const old = await owned(subject, 'acme');
      await write(subject, old, 1);
      const fence = await owned(subject, 'acme', 20n);
      const ahead = [
        {
          address: 'acme/app',
          held: { generation: 1, version: 9 },
          has: { generation: 1, version: 4 },
        },
      ];
      await expectRejection(truth.declareBehind(old, 1, ahead), 'FencedError', 'a former owner');
      await expectRejection(truth.declareBehind(fence, 2, ahead), 'FencedError', 'a generation');
      expectSame(await behindOf(subject, fence), undefined, 'nothing yet');
      const declared = await truth.declareBehind(fence, 1, ahead);
      expectSame(declared.addresses, ahead, 'what was declared');
      expectSame(await behindOf(subject, fence), declared, 'what is kept');
      const more = [...ahead, { ...ahead[0]!, address: 'acme' }];
      const all = await truth.declareBehind(fence, 1, more);
      expectSame(all, { ...declared, addresses: more }, 'more of it');
      expectSame((await write(subject, fence, 2)).kind, 'behind', 'a write');
      const other = { shard: (fence.shard + 1) % subject.shards, token: fence.token };
      expectSame(await truth.raiseFence(other, 'node-1'), 'raised', 'a fence beside it');
      expectSame(await behindOf(subject, other), undefined, 'another shard');
    },
  },
  {
    name: 'accepts a restore once: above every generation seen, with its reason in the history',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await owned(subject, 'acme');
      await write(subject, fence, 1);
      expectSame(await accept(subject), 'nothing-behind', 'nothing is behind');
      const held = { generation: 4, version: 2 };
      const has = { generation: 1, version: 7 };
      await truth.declareBehind(fence, 1, [{ address: 'gone/app', held, has }]);
      const { shard } = fence;
      const others = [
        { generation: 2, shards: [shard] },
        { generation: 1, shards: [] },
        { generation: 1, shards: [shard, (shard + 1) % subject.shards] },
        { generation: 1, shards: [(shard + 1) % subject.shards] },
      ];
      for (const seen of others) {
        const outcome = await truth.acceptRestore({ ...ACCEPTANCE, seen });
        expectSame(outcome, 'not-as-seen', JSON.stringify(seen));
      }
      expectSame((await truth.readBehind()).shards.size, 1, 'what is behind still');
      expectSame(await accept(subject), { generation: 5 }, 'the generation');
      expectSame(await accept(subject), 'nothing-behind', 'a second time');
      const { generation, behind } = await truth.readFences([fence.shard]);
      expectSame([generation, behind.size], [5, 0], 'what the fences tell');
      const after = await truth.readBehind();
      expectSame([after.generation, after.shards.size], [5, 0], 'what is behind');
      expectSame((await truth.installation()).generation, 5, 'what the installation tells');
      const audit = (await truth.readAudit({ limit: 10 })).map(
        ({ sequence: _, ...entry }) => entry,
      );
      const entry = { at: AT, author: 'ada', kind: 'restore', action: 'accept' };
      const { reason } = ACCEPTANCE;
      expectSame(
        audit,
        ['gone', 'acme'].map((address) => ({ ...entry, address, reason })),
        'the audit',
      );
      expectSame(
        (await write(subject, fence, 2, { generation: 1, commits: 1n })).kind,
        'fenced',
        'of before',
      );
      const snapshots = [snapshot('acme', 1, 5)];
      const known = { generation: 5, commits: 1n };
      const outcome = await truth.commit(fence, changes('acme', { snapshots }), known);
      expectSame(outcome.kind, 'committed', 'of the new generation');
    },
  },
];
