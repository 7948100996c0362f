import { INITIAL_RELEASE } from '@pawl/domain';
import type { ReleaseState } from '@pawl/domain';
import type { Fence, FencingToken } from '../sharding/fence.js';
import type { Changeset, IdempotencyAges, InventoryQuery } from '../sharding/truth-store.port.js';
import { expectRejection, expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';
import { truthBehindCases } from './truth-behind.conformance.js';
import { truthGroupCases } from './truth-group.conformance.js';
import { truthListsCases } from './truth-lists.conformance.js';
import { truthOriginCases } from './truth-origin.conformance.js';
import { truthPinCases } from './truth-pins.conformance.js';
import { truthQueuedCases } from './truth-queued.conformance.js';
import { truthStagedCases } from './truth-staged.conformance.js';
import {
  AT,
  HASH,
  changes,
  definition,
  fenceOf,
  owned,
  snapshot,
  text,
  expectCommitted,
} from './truth-subject.js';
import type { TruthSubject } from './truth-subject.js';

const OF_AN_HOUR: IdempotencyAges = { allMs: 3_600_000, routedMs: 3_600_000 };

const released: ReleaseState = {
  ...INITIAL_RELEASE,
  releaseVersion: 1,
  stableVersion: 1,
  contributionAt: 1,
  blockedVersions: [2, 3],
};

/** What every truth store promises. */
export const truthStoreCases: readonly ConformanceCase<TruthSubject>[] = [
  {
    name: 'reads the fences that are asked for, as they are now, always from one server',
    run: async ({ truth }) => {
      const fence = (shard: number, token: bigint): Fence => ({
        shard,
        token: token as FencingToken,
      });
      const before = await truth.readFences([0, 1, 2]);
      expectSame([...before.tokens], [], 'fences that nobody raised');
      expectSame(before.server.length > 0, true, 'a server has a name');
      await truth.raiseFence(fence(0, 10n), 'node-1');
      await truth.raiseFence(fence(1, 11n), 'node-1');
      await truth.raiseFence(fence(3, 13n), 'node-1');
      await truth.raiseFence(fence(0, 20n), 'node-2');
      const { server, tokens } = await truth.readFences([0, 1, 2]);
      expectSame([tokens.size, tokens.get(0), tokens.get(1)], [2, 20n, 11n], 'tokens');
      expectSame(server, before.server, 'server');
      expectSame((await truth.readFences([])).server, before.server, 'server without a shard');
    },
  },
  {
    name: 'gives back what was committed, odd characters and all',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const odd = JSON.stringify({ 'a"\u0000': ['\u0001', '😀', ''], 'x:y/z': { n: 1e21 } });
      const schema = { hash: 'b'.repeat(64), text: '{"type":"object"}' };
      const outcome = await subject.truth.commit(
        fence,
        changes('acme', {
          definitions: [{ ...definition('acme/app', 1, odd), schema, message: 'why "not"' }],
          releases: [{ address: text('acme/app'), next: released }],
          snapshots: [snapshot('acme/app', 1)],
        }),
      );
      expectCommitted(outcome, 'outcome');
      const [image, ...others] = await subject.truth.loadShard(fence);
      expectSame(others.length, 0, 'other addresses');
      expectSame(image?.newest?.document?.text, odd, 'document text');
      expectSame(image?.newest?.document?.value, JSON.parse(odd), 'document value');
      expectSame(
        image?.newest?.schema,
        { hash: schema.hash, schema: { type: 'object' } },
        'schema',
      );
      expectSame(image?.newest?.message, 'why "not"', 'message');
      expectSame(image?.newest?.createdAt, AT, 'time of writing');
      expectSame(image?.stable?.version, 1, 'stable version');
      expectSame(image?.release, released, 'release state');
      expectSame(image?.snapshot, snapshot('acme/app', 1), 'snapshot head');
      expectSame(
        [image?.publishedVersion, image?.publishedAt, image?.opened],
        [0, null, false],
        'rest',
      );
    },
  },
  {
    name: 'keeps an abstract definition, and a schema over several versions',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const schema = { hash: 'c'.repeat(64), text: 'true' };
      const first = { ...definition('acme', 1, null), schema };
      const second = { ...definition('acme', 2, '{}'), schema };
      for (const one of [first, second]) {
        await subject.truth.commit(fence, changes('acme', { definitions: [one] }));
      }
      const older = await subject.truth.readDefinition(fence, text('acme'), 1);
      expectSame([older?.document, older?.schema?.schema], [null, true], 'first version');
      const [image] = await subject.truth.loadRoot(fence, 'acme');
      expectSame(
        image?.newest?.schema,
        { hash: schema.hash, schema: true },
        'schema of the second',
      );
      expectSame(image?.release, INITIAL_RELEASE, 'release before the first action');
    },
  },
  {
    name: 'refuses versions that leave a gap or come twice, and then writes nothing of the change',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      const attempts: Partial<Changeset>[] = [
        { definitions: [definition('acme/new', 1, '{}'), definition('acme/app', 2, '{}')] },
        {
          definitions: [definition('acme/new', 1, '{}')],
          releases: [{ address: text('acme/app'), next: { ...released, releaseVersion: 2 } }],
        },
      ];
      for (const attempt of attempts) {
        const outcome = await truth.commit(fence, changes('acme', attempt));
        expectSame(outcome.kind, 'conflict', 'outcome');
      }
      expectSame((await truth.loadShard(fence)).length, 0, 'addresses afterwards');
      await truth.commit(
        fence,
        changes('acme', { definitions: [definition('acme/app', 1, '{}')] }),
      );
      const again = changes('acme', { definitions: [definition('acme/app', 1, '{}')] });
      expectSame((await truth.commit(fence, again)).kind, 'conflict', 'the same version again');
    },
  },
  {
    name: 'raises snapshot versions only, within a generation and across',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const put = async (version: number, generation: number): Promise<string> => {
        const snapshots = [snapshot('acme', version, generation)];
        return (await subject.truth.commit(fence, changes('acme', { snapshots }))).kind;
      };
      await subject.truth.commit(
        fence,
        changes('acme', { definitions: [definition('acme', 1, '{}')] }),
      );
      const kinds = [
        await put(5, 1),
        await put(5, 1),
        await put(4, 1),
        await put(1, 2),
        await put(9, 1),
      ];
      expectSame(kinds, ['committed', 'conflict', 'conflict', 'committed', 'conflict'], 'outcomes');
    },
  },
  {
    name: 'commits only under exactly the token of the fence',
    run: async (subject) => {
      const { truth } = subject;
      const old = await owned(subject, 'acme', 10n);
      const write = changes('acme', { definitions: [definition('acme', 1, '{}')] });
      const fresh = await owned(subject, 'acme', 1n + 2n ** 60n);
      const outcome = await truth.commit(old, write);
      expectSame(outcome, { kind: 'fenced', token: fresh.token }, 'the former owner');
      const future = fenceOf(subject, 'acme', fresh.token + 1n);
      expectSame((await truth.commit(future, write)).kind, 'fenced', 'a token not yet raised');
      expectSame(await truth.raiseFence(old, 'node-1'), 'superseded', 'raising to a lower token');
      expectSame(await truth.raiseFence(fresh, 'node-1'), 'raised', 'raising again');
      expectSame(
        await truth.raiseFence(fresh, 'node-2'),
        'superseded',
        'the same token of another',
      );
      expectSame((await truth.commit(fresh, write)).kind, 'committed', 'the owner');
      await expectRejection(truth.loadShard(old), 'FencedError', 'loading');
      await expectRejection(truth.loadRoot(old, 'acme'), 'FencedError', 'loading a root');
      await expectRejection(truth.readDefinition(old, text('acme'), 1), 'FencedError', 'reading');
      await expectRejection(truth.findIdempotent(old, 'k'), 'FencedError', 'finding a key');
      await expectRejection(truth.sweepIdempotency(old, OF_AN_HOUR), 'FencedError', 'sweeping');
      const mark = { address: text('acme'), version: 1, publishedAt: AT };
      await expectRejection(truth.markPublished(old, [mark]), 'FencedError', 'marking');
    },
  },
  {
    name: 'refuses everything of a shard whose fence nobody raised',
    run: async (subject) => {
      const fence = fenceOf(subject, 'acme', 10n);
      const write = changes('acme', { definitions: [definition('acme', 1, '{}')] });
      expectSame((await subject.truth.commit(fence, write)).kind, 'fenced', 'commit');
      await expectRejection(subject.truth.loadShard(fence), 'FencedError', 'loading');
    },
  },
  {
    name: 'pages through history, newest first, and through all of it as audit',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      for (const version of [1, 2, 3]) {
        const entry = { address: text('acme'), at: AT, author: 'ada', kind: 'definition' as const };
        await truth.commit(
          fence,
          changes('acme', {
            definitions: [definition('acme', version, '{}')],
            history: [
              { ...entry, version, message: `m${version}` },
              { ...entry, address: text('acme/other'), version },
            ],
          }),
        );
      }
      const first = await truth.readHistory(fence, text('acme'), { limit: 2 });
      expectSame(
        first.map((entry) => entry.version),
        [3, 2],
        'first page',
      );
      const before = first.at(-1)?.sequence ?? '';
      const rest = await truth.readHistory(fence, text('acme'), { limit: 2, before });
      expectSame(
        rest.map(({ version, message }) => [version, message]),
        [[1, 'm1']],
        'second page',
      );
      expectSame((await truth.readAudit({ limit: 100 })).length, 6, 'audit');
    },
  },
  {
    name: 'lists every address of all shards in order, page by page, by whole segments',
    run: async (subject) => {
      const { truth } = subject;
      const fence = await owned(subject, 'acme');
      const acme = ['acme/a', 'acme/a0', 'acme/a_x', 'acme/a/x', 'acme/a:limits'];
      const first = { definitions: acme.map((at) => definition(at, 1, '{}')) };
      const second = {
        definitions: [definition('acme/a', 2, '{}')],
        releases: [{ address: text('acme/a'), next: released }],
        snapshots: [snapshot('acme/a', 7)],
      };
      for (const change of [first, second]) {
        const { kind } = await truth.commit(fence, changes('acme', change));
        expectSame(kind, 'committed', 'outcome');
      }
      const other = await owned(subject, 'other');
      await truth.commit(other, changes('other', { opened: [text('other/app')] }));
      const names = async (query: InventoryQuery): Promise<string[]> =>
        (await truth.readInventory(query)).map(({ address }) => address);
      const sorted = ['acme/a', 'acme/a/x', 'acme/a0', 'acme/a:limits', 'acme/a_x', 'other/app'];
      expectSame(await names({ limit: 10 }), sorted, 'all');
      expectSame(await names({ limit: 2, after: 'acme/a0' }), sorted.slice(3, 5), 'a page');
      const within = ['acme/a', 'acme/a/x', 'acme/a:limits'];
      expectSame(await names({ limit: 10, within: 'acme/a' }), within, 'within');
      expectSame(
        await names({ limit: 10, within: 'acme/a', after: 'acme/a' }),
        within.slice(1),
        'rest',
      );
      expectSame(
        await truth.readInventory({ limit: 1 }),
        [
          {
            address: 'acme/a',
            newestVersion: 2,
            stableVersion: 1,
            state: 'idle',
            snapshotVersion: 7,
          },
        ],
        'what is known',
      );
      expectSame(
        await truth.readInventory({ limit: 1, within: 'other/app' }),
        [
          {
            address: 'other/app',
            newestVersion: 0,
            stableVersion: null,
            state: 'idle',
            snapshotVersion: 0,
          },
        ],
        'what is only opened',
      );
    },
  },
  {
    name: 'remembers an idempotency key with the write, once, until it is swept',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      const idempotency = {
        key: 'PUT /v1/config/acme k1',
        root: 'acme',
        requestHash: HASH,
        status: 201,
        body: '{"a":"\\u0000"}',
      };
      const first = changes('acme', { definitions: [definition('acme', 1, '{}')], idempotency });
      expectSame((await truth.commit(fence, first)).kind, 'committed', 'first');
      const second = changes('acme', { definitions: [definition('acme', 2, '{}')], idempotency });
      expectSame((await truth.commit(fence, second)).kind, 'conflict', 'the key again');
      expectSame(await truth.findIdempotent(fence, idempotency.key), idempotency, 'what is kept');
      const routed = { ...idempotency, key: 'routed 1' };
      await truth.commit(fence, changes('acme', { idempotency: routed }));
      expectSame(await truth.sweepIdempotency(fence, OF_AN_HOUR), 0, 'not so old');
      const routedOnly = { ...OF_AN_HOUR, routedMs: 0 };
      expectSame(await truth.sweepIdempotency(fence, routedOnly), 1, 'older and sent on');
      expectSame(await truth.findIdempotent(fence, routed.key), undefined, 'what was sent on');
      expectSame(await truth.findIdempotent(fence, idempotency.key), idempotency, 'the other');
      expectSame(await truth.sweepIdempotency(fence, { allMs: 0, routedMs: 0 }), 1, 'older');
      expectSame(await truth.findIdempotent(fence, idempotency.key), undefined, 'afterwards');
    },
  },
  {
    name: 'knows opened addresses until they are forgotten or written',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      const names = ['acme/a', 'acme/b'];
      await truth.commit(
        fence,
        changes('acme', {
          opened: names.map(text),
          snapshots: names.map((name) => snapshot(name, 1)),
        }),
      );
      const opened = await truth.loadShard(fence);
      expectSame(
        opened.map(({ newest, opened: is }) => [newest, is]),
        [
          [null, true],
          [null, true],
        ],
        'opened',
      );
      await truth.commit(fence, changes('acme', { definitions: [definition('acme/a', 1, '{}')] }));
      await truth.commit(fence, changes('acme', { forgotten: [text('acme/b')] }));
      const left = await truth.loadShard(fence);
      expectSame(
        left.map(({ address, opened: is }) => [address, is]),
        [['acme/a', false]],
        'left',
      );
    },
  },
  {
    name: 'records what is published, never backwards',
    run: async (subject) => {
      const fence = await owned(subject, 'acme');
      const { truth } = subject;
      await truth.commit(
        fence,
        changes('acme', {
          definitions: [definition('acme', 1, '{}')],
          snapshots: [snapshot('acme', 3)],
        }),
      );
      const address = text('acme');
      await truth.markPublished(fence, [{ address, version: 3, publishedAt: AT }]);
      await truth.markPublished(fence, [
        { address, version: 2, publishedAt: '2027-01-01T00:00:00.000Z' },
      ]);
      const [image] = await truth.loadShard(fence);
      expectSame([image?.publishedVersion, image?.publishedAt], [3, AT], 'published');
    },
  },
  ...truthGroupCases,
  ...truthBehindCases,
  ...truthStagedCases,
  ...truthQueuedCases,
  ...truthPinCases,
  ...truthListsCases,
  ...truthOriginCases,
];
