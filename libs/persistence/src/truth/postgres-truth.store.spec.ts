import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AddressText } from '@pawl/contracts';
import { FencedError } from '@pawl/engine';
import type { Changeset, Fence, TruthStore } from '@pawl/engine';
import { UnstorableTextError } from '../errors.js';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import {
  AT,
  at,
  changeset,
  definition,
  fenceOf,
  hashOf,
  record,
  release,
  schema,
  snapshot,
  written,
} from '../testing/changesets.js';
import { dumpTruth } from '../testing/dump-truth.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';

const SHARD = 5;
const FENCE = fenceOf(SHARD, 10);

let server: PostgresServer;
let opened: OpenedTruth;
let truth: TruthStore;
let url: string;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

beforeEach(async () => {
  url = await server.createInstallation(64);
  opened = await openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1' });
  truth = opened.truth;
  await truth.raiseFence(FENCE, 'node-1');
  return () => opened.close();
}, START_HOOK_MS);

async function commit(parts: Partial<Changeset>, fence: Fence = FENCE): Promise<void> {
  expect(await truth.commit(fence, changeset(parts))).toMatchObject({ kind: 'committed' });
}

async function image(address: string) {
  const images = await truth.loadRoot(FENCE, 'acme');
  return images.find((each) => each.address === address);
}

describe('definitions', () => {
  it('come back as written: document, schema, author, time and message', async () => {
    const text = '{"limits":{"max":5}}';
    const rules = schema('{"type":"object"}');
    await commit({
      definitions: [
        definition('acme/prod', 1, {
          document: { text, hash: hashOf(text) },
          schema: rules,
          message: 'first',
        }),
      ],
    });
    const expected = {
      address: 'acme/prod',
      version: 1,
      document: { text, hash: hashOf(text), value: { limits: { max: 5 } } },
      schema: { hash: rules.hash, schema: { type: 'object' } },
      author: 'ann',
      createdAt: AT,
      message: 'first',
    };
    expect(await truth.readDefinition(FENCE, at('acme/prod'), 1)).toEqual(expected);
    expect(await truth.readDefinition(FENCE, at('acme/prod'), 2)).toBeUndefined();
    expect(await truth.loadRoot(FENCE, 'acme')).toEqual([
      {
        address: 'acme/prod',
        newest: expected,
        stable: null,
        candidate: null,
        release: {
          state: 'idle',
          releaseVersion: 0,
          stableVersion: null,
          contributionAt: 0,
          loweredAt: null,
          forced: false,
          blockedVersions: [],
          staged: null,
          queued: null,
          pins: [],
        },
        snapshot: null,
        publishedVersion: 0,
        publishedAt: null,
        opened: false,
        pinned: [],
      },
    ]);
  });

  it.each([
    ['U+0000', '{"a":"\\u0000","\\u0000":1}'],
    ['surrogate pairs', '{"😀":"𝒳 \u{10FFFF}"}'],
    ['separators and controls', '{"a":"\u2028\u2029\u007f\\n\\\\\\""}'],
    ['strange keys', '{"":1,"constructor":{"prototype":{}},"toString":null}'],
    ['numbers at the edge', '{"a":[1e+21,5e-324,1.7976931348623157e+308,9007199254740991]}'],
    ['960 KiB', `{"a":"${'é"'.replace('"', '\\"').repeat(983_040 / 4 - 3)}"}`],
  ])('keep the bytes of a document with %s', async (_, text) => {
    const document = { text, hash: hashOf(text) };
    await commit({ definitions: [definition('acme', 1, { document, schema: schema(text) })] });
    const read = await truth.readDefinition(FENCE, at('acme'), 1);
    expect(read?.document?.text).toBe(text);
    expect(read?.document?.value).toEqual(JSON.parse(text));
    expect(read?.schema?.schema).toEqual(JSON.parse(text));
    expect((await image('acme'))?.newest).toEqual(read);
  });

  it('may be abstract, and may drop their schema', async () => {
    await commit({
      definitions: [definition('acme', 1, { document: null, schema: schema('true') })],
    });
    await commit({ definitions: [definition('acme', 2)] });
    const first = await truth.readDefinition(FENCE, at('acme'), 1);
    expect(first).toMatchObject({ document: null, schema: { schema: true } });
    expect((await image('acme'))?.newest).toMatchObject({ version: 2, schema: null });
  });

  it('are written several at a time, also versions of one address', async () => {
    const rules = schema('{}');
    await commit({
      definitions: [
        definition('acme', 1, { schema: rules }),
        definition('acme', 2, { schema: rules }),
        definition('acme/a', 1, { schema: rules }),
        definition('acme:limits', 1, { schema: rules }),
      ],
    });
    const images = await truth.loadRoot(FENCE, 'acme');
    expect(images.map((each) => [each.address, each.newest?.version])).toEqual([
      ['acme', 2],
      ['acme/a', 1],
      ['acme:limits', 1],
    ]);
    expect(images.every((each) => each.newest?.schema?.hash === rules.hash)).toBe(true);
  });
});

describe('releases and snapshots', () => {
  it('come back as written, the stable definition beside the newest', async () => {
    const rules = [schema('{"title":"1"}'), schema('{"title":"2"}')] as const;
    await commit({
      definitions: [
        definition('acme', 1, { schema: rules[0] }),
        definition('acme', 2, { schema: rules[1] }),
        definition('acme', 3, { schema: rules[1] }),
      ],
    });
    const state = { stableVersion: 1, contributionAt: 1, blockedVersions: [2, 7] };
    const head = snapshot('acme', 4, {
      generation: 2,
      inputs: [
        { address: 'acme', definitionVersion: 1, releaseVersion: 1, loweredAt: 1, forced: true },
      ],
      variant: { hash: hashOf(''), size: 0, absent: true },
    });
    await commit({ releases: [release('acme', 1, state)], snapshots: [head] });
    const found = await image('acme');
    expect(found?.newest).toMatchObject({ version: 3, schema: { schema: { title: '2' } } });
    expect(found?.stable).toMatchObject({ version: 1, schema: { schema: { title: '1' } } });
    expect(found?.release).toEqual(release('acme', 1, state).next);
    expect(found?.snapshot).toEqual(head);
    await commit({
      releases: [
        release('acme', 2, {
          ...state,
          state: 'disabled',
          stableVersion: 2,
          loweredAt: 2,
          forced: true,
        }),
      ],
    });
    const next = await image('acme');
    expect(next?.release).toMatchObject({ state: 'disabled', loweredAt: 2, forced: true });
    expect(next?.stable?.schema).toEqual(next?.newest?.schema);
    await commit({ releases: [release('acme', 3, { stableVersion: 3 })] });
    const last = await image('acme');
    expect(last?.stable).toEqual(last?.newest);
  });

  it('take a thousand snapshot heads at once, and page through them', async () => {
    const addresses = Array.from({ length: 1_000 }, (_, index) => `acme/a${index}`);
    await commit({ definitions: addresses.map((address) => definition(address, 1)) });
    await commit({ snapshots: addresses.map((address) => snapshot(address, 1)) });
    await commit({ snapshots: addresses.map((address) => snapshot(address, 2)) });
    const images = await truth.loadShard(FENCE);
    expect(images.map((each) => each.address)).toEqual(addresses.toSorted());
    expect(new Set(images.map((each) => each.snapshot?.version))).toEqual(new Set([2]));
  });

  it('remember what was published', async () => {
    await commit({ definitions: [definition('acme', 1)], snapshots: [snapshot('acme', 3)] });
    await truth.markPublished(FENCE, [{ address: at('acme'), version: 3, publishedAt: AT }]);
    expect(await image('acme')).toMatchObject({ publishedVersion: 3, publishedAt: AT });
    await commit({ snapshots: [snapshot('acme', 4)] });
    expect(await image('acme')).toMatchObject({ publishedVersion: 3, snapshot: { version: 4 } });
    await truth.markPublished(FENCE, []);
  });
});

describe('opened addresses', () => {
  it('are known without a definition, until defined or forgotten', async () => {
    const addresses = ['acme/a', 'acme/b'] as AddressText[];
    await commit({ opened: addresses, snapshots: [snapshot('acme/a', 1), snapshot('acme/b', 1)] });
    expect(await image('acme/a')).toMatchObject({
      opened: true,
      newest: null,
      snapshot: { version: 1 },
    });
    await commit({ definitions: [definition('acme/a', 1)] });
    expect(await image('acme/a')).toMatchObject({ opened: false, snapshot: { version: 1 } });
    await commit({ forgotten: [at('acme/b')] });
    expect(await image('acme/b')).toBeUndefined();
    await commit({ opened: [at('acme/b')], snapshots: [snapshot('acme/b', 1)] });
  });
});

describe('history and audit', () => {
  it('come newest first, page by page, with all they say', async () => {
    const entries = Array.from({ length: 7 }, (_, index) => written('acme', index + 1));
    await commit({ history: entries.slice(0, 4) });
    const other = {
      ...written('acme/prod', 1),
      kind: 'release' as const,
      releaseVersion: 9,
      action: 'rollback',
      message: 'm',
      reason: 'r',
      forced: true as const,
    };
    await commit({ history: [...entries.slice(4), other] });
    const seen: number[] = [];
    let before: string | undefined;
    for (;;) {
      const page = await truth.readHistory(FENCE, at('acme'), {
        limit: 3,
        ...(before === undefined ? {} : { before }),
      });
      if (page.length === 0) break;
      seen.push(...page.map((entry) => entry.version!));
      before = page.at(-1)!.sequence;
    }
    expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1]);
    const [newest, next] = await truth.readAudit({ limit: 2 });
    const { sequence, ...rest } = newest!;
    expect(rest).toEqual(other);
    const { sequence: _, ...plain } = next!;
    expect(plain).toEqual(written('acme', 7));
    const older = await truth.readAudit({ limit: 100, before: sequence });
    expect(older.map((entry) => entry.version)).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });

  it('refuse a cursor that they did not give out', async () => {
    const query = { limit: 1, before: "1' OR" };
    await expect(truth.readHistory(FENCE, at('acme'), query)).rejects.toThrow(RangeError);
    await expect(truth.readAudit(query)).rejects.toThrow(RangeError);
  });
});

describe('idempotency', () => {
  it('keeps the first answer and sweeps old ones of its own shard', async () => {
    const first = record('PUT /v1/config/acme k1', { body: '{"a":"\\u0000😀"}' });
    await commit({ idempotency: first });
    expect(await truth.findIdempotent(FENCE, first.key)).toEqual(first);
    expect(await truth.findIdempotent(FENCE, 'other')).toBeUndefined();
    const elsewhere = fenceOf(SHARD + 1, 3);
    await truth.raiseFence(elsewhere, 'node-1');
    await commit({ idempotency: record('elsewhere') }, elsewhere);
    const hour = 3_600_000;
    expect(await truth.sweepIdempotency(FENCE, { allMs: hour, routedMs: hour })).toBe(0);
    await opened.dataSource.query(
      "UPDATE idempotency_record SET created_at = created_at - interval '2 hours' WHERE key <> $1",
      [first.key],
    );
    await commit({ idempotency: record('young') });
    expect(await truth.sweepIdempotency(FENCE, { allMs: hour, routedMs: hour })).toBe(0);
    await opened.dataSource.query(
      "UPDATE idempotency_record SET created_at = created_at - interval '2 hours' WHERE key = $1",
      [first.key],
    );
    expect(await truth.sweepIdempotency(FENCE, { allMs: hour, routedMs: hour })).toBe(1);
    expect(await truth.findIdempotent(FENCE, first.key)).toBeUndefined();
    expect(await truth.findIdempotent(FENCE, 'young')).toBeDefined();
    expect(await truth.findIdempotent(elsewhere, 'elsewhere')).toBeDefined();
  });
});

describe('what belongs elsewhere', () => {
  it('is not loaded with another root or shard', async () => {
    const elsewhere = fenceOf(SHARD + 1, 3);
    await truth.raiseFence(elsewhere, 'node-1');
    await commit({ definitions: [definition('acme', 1)] });
    await commit({ root: 'acme-2', definitions: [definition('acme-2', 1)] });
    await commit({ root: 'other', definitions: [definition('other', 1)] }, elsewhere);
    const names = async (load: ReturnType<TruthStore['loadShard']>) =>
      (await load).map((each) => each.address);
    expect(await names(truth.loadShard(FENCE))).toEqual(['acme', 'acme-2']);
    expect(await names(truth.loadRoot(FENCE, 'acme'))).toEqual(['acme']);
    expect(await names(truth.loadShard(elsewhere))).toEqual(['other']);
    const taken = await truth.commit(elsewhere, changeset({ releases: [release('acme', 1)] }));
    expect(taken.kind).toBe('conflict');
  });

  it('cannot be smuggled into a changeset of another root', async () => {
    const smuggled = changeset({ definitions: [definition('acme2', 1)] });
    await expect(truth.commit(FENCE, smuggled)).rejects.toThrow('lies under');
  });
});

describe('a text that PostgreSQL cannot hold', () => {
  it.each(['\0', '\uD800'])('is refused clearly and changes nothing (%j)', async (message) => {
    const before = await dumpTruth(url);
    const bad = changeset({ definitions: [definition('acme', 1, { message })] });
    await expect(truth.commit(FENCE, bad)).rejects.toThrow(UnstorableTextError);
    expect(await dumpTruth(url)).toEqual(before);
  });
});

describe('a reason, which may be what a consumer said', () => {
  it.each(['no \0 here', 'half of \uD83D'])('is kept as far as it can be (%j)', async (reason) => {
    const aborted = { ...written('acme', 1), kind: 'release' as const, action: 'abort', reason };
    await commit({ history: [aborted] });
    const [line] = await truth.readHistory(FENCE, at('acme'), { limit: 1 });
    expect(line?.reason).toBe(reason.replace(/.(?= here)|.$/u, '\uFFFD'));
  });
});

describe('every call', () => {
  it('is refused under any token but the one that the fence holds', async () => {
    await commit({ definitions: [definition('acme', 1)], snapshots: [snapshot('acme', 1)] });
    const before = await dumpTruth(url);
    for (const token of [9n, 11n, 2n ** 62n]) {
      const other = fenceOf(SHARD, token);
      const refused = { shard: SHARD, token: 10n };
      const parts = changeset({ definitions: [definition('acme', 2)] });
      expect(await truth.commit(other, parts)).toEqual({ kind: 'fenced', token: 10n });
      const mark = [{ address: at('acme'), version: 1, publishedAt: AT }];
      const calls = [
        () => truth.loadShard(other),
        () => truth.loadRoot(other, 'acme'),
        () => truth.readDefinition(other, at('acme'), 1),
        () => truth.readHistory(other, at('acme'), { limit: 1 }),
        () => truth.findIdempotent(other, 'k'),
        () => truth.markPublished(other, mark),
        () => truth.sweepIdempotency(other, { allMs: 0, routedMs: 0 }),
        () => opened.status.load(other),
        () => opened.status.sweep(other, '2030-01-01T00:00:00.000Z'),
      ];
      for (const call of calls) {
        const error: unknown = await call().catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(FencedError);
        expect(error).toMatchObject(refused);
      }
    }
    expect(await dumpTruth(url)).toEqual(before);
  });

  it('is refused for a shard that nobody ever claimed', async () => {
    const unclaimed = fenceOf(63, 1);
    expect(await truth.commit(unclaimed, changeset({}))).toEqual({ kind: 'fenced', token: 0n });
    await expect(truth.loadShard(unclaimed)).rejects.toThrow(FencedError);
  });
});
