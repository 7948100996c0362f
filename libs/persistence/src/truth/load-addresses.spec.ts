import { Client } from 'pg';
import type { QueryResult } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StagedRelease } from '@pawl/domain';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import {
  at,
  changeset,
  definition,
  fenceOf,
  hashOf,
  release,
  schema,
  snapshot,
} from '../testing/changesets.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';
import { PAGE_BYTES } from './load-addresses.js';

const FENCE = fenceOf(3, 10);
const STAGED: StagedRelease = {
  id: 'a',
  candidateVersion: 2,
  strategy: 'inline',
  stages: [{ percent: 100, bakeMs: 0 }],
  gates: [],
  stage: 0,
  pausedFor: null,
};
/** As large as a document may be. */
const LARGE = 960 * 1024;

let server: PostgresServer;
let opened: OpenedTruth;
beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);
beforeEach(async () => {
  const url = await server.createInstallation(64);
  opened = await openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1' });
  await opened.truth.raiseFence(FENCE, 'node-1');
  return () => opened.close();
}, START_HOOK_MS);
afterEach(() => void vi.restoreAllMocks());

/** A JSON text of so many bytes that hardly compresses to nothing: lengths must be those of texts. */
function textOf(bytes: number, mark: string): { text: string; hash: string } {
  const text = `{"${mark}":"${'é'.repeat((bytes - mark.length - 8) / 2)}"}`;
  return { text, hash: hashOf(text) };
}

/** Two versions, both with a schema of their own, of which the first is the stable one. */
async function write(address: string, bytes: number): Promise<void> {
  for (const version of [1, 2]) {
    const document = textOf(bytes, `${address}/${version}`);
    const rules = schema(textOf(bytes, `schema/${version}`).text);
    const releases = version === 1 ? [] : [release(address, 1, { stableVersion: 1 })];
    const next = definition(address, version, { document, schema: rules });
    const parts = changeset({ definitions: [next], releases });
    expect(await opened.truth.commit(FENCE, parts)).toMatchObject({ kind: 'committed' });
  }
}

/** Bytes of long texts in each answer that held addresses, while `work` runs. */
async function pagesOf(work: () => Promise<unknown>): Promise<number[]> {
  const query = vi.spyOn(Client.prototype, 'query');
  await work();
  const answers = query.mock.results.map(({ value }) => value as Promise<QueryResult>);
  const pages: number[] = [];
  for (const { rows } of await Promise.all(answers)) {
    const found = (rows as Record<string, unknown>[]).filter((row) => 'newest_document' in row);
    const texts = found.flatMap((row) => [
      row['newest_document'],
      row['newest_schema_text'],
      row['stable_document'],
      row['stable_schema_text'],
      row['candidate_document'],
      row['candidate_schema_text'],
      row['staged'],
      row['releases'],
    ]);
    const bytes = texts.map((text) => (typeof text === 'string' ? Buffer.byteLength(text) : 0));
    if (found.length > 0) pages.push(bytes.reduce((sum, each) => sum + each, 0));
  }
  query.mockRestore();
  return pages;
}

describe('loading addresses', () => {
  it('reads no more bytes at a time than a page has, whatever the addresses hold', async () => {
    const names = Array.from({ length: 6 }, (_, n) => `acme/large${n}`);
    for (const name of names) await write(name, LARGE);
    for (const name of ['acme/a', 'acme/z']) await write(name, 100);
    for (const load of [
      () => opened.truth.loadShard(FENCE),
      () => opened.truth.loadRoot(FENCE, 'acme'),
    ]) {
      const pages = await pagesOf(async () => {
        const images = await load();
        expect(images.map(({ address }) => address)).toEqual(['acme/a', ...names, 'acme/z']);
        for (const { address, newest, stable } of images) {
          const size = names.includes(address) ? LARGE : 100;
          expect(newest?.document).toMatchObject(textOf(size, `${address}/2`));
          expect(stable?.document).toMatchObject(textOf(size, `${address}/1`));
          expect(Object.keys(stable?.schema?.schema ?? {})).toEqual(['schema/1']);
        }
      });
      expect(Math.max(...pages)).toBeGreaterThan(PAGE_BYTES / 2);
      expect(Math.max(...pages)).toBeLessThanOrEqual(PAGE_BYTES);
      expect(pages).toHaveLength(6);
    }
  });

  it('counts what there is of releases in stages', async () => {
    const names = Array.from({ length: 4 }, (_, n) => `acme/large${n}`);
    const named = Array.from({ length: 10_000 }, (_, slot) => `web/${slot}`.padEnd(90, '-'));
    const stages = [{ basisPoints: 0, named }];
    for (const name of names) {
      await write(name, LARGE);
      const third = definition(name, 3, { document: textOf(LARGE, `${name}/3`) });
      const staged = { ...STAGED, pausedFor: 'x'.repeat(100_000) };
      const next = release(name, 2, { stableVersion: 1, state: 'rolling', staged });
      const releases = [{ id: 'a', salt: 'a', address: at(name), stages }];
      const snapshots = [snapshot(name, 1, { releases })];
      const parts = changeset({ definitions: [third], releases: [next], snapshots });
      expect(await opened.truth.commit(FENCE, parts)).toMatchObject({ kind: 'committed' });
    }
    const pages = await pagesOf(async () => {
      const images = await opened.truth.loadShard(FENCE);
      expect(images.map(({ address }) => address)).toEqual(names);
      for (const { stable, candidate, newest, snapshot: head } of images) {
        const versions = [stable, candidate, newest].map((each) => each?.version);
        expect(versions).toEqual([1, 2, 3]);
        expect(head?.releases[0]?.stages).toEqual(stages);
      }
    });
    expect(pages).toHaveLength(4);
    expect(Math.min(...pages)).toBeGreaterThan(PAGE_BYTES);
  });

  it('reads small addresses by the dozen, to the last one', async () => {
    const names = Array.from({ length: 256 }, (_, n) => `acme/s${String(n).padStart(3, '0')}`);
    await opened.truth.commit(
      FENCE,
      changeset({ definitions: names.map((name) => definition(name, 1)) }),
    );
    const pages = await pagesOf(async () => {
      const images = await opened.truth.loadShard(FENCE);
      expect(images.map(({ address }) => address)).toEqual(names);
    });
    expect(pages.length).toBeLessThanOrEqual(3);
  });

  it('parses one large text in a turn of the event loop', async () => {
    for (let n = 0; n < 3; n += 1) await write(`acme/large${n}`, LARGE);
    let turn = 0;
    let isDone = false;
    const count = (): void => {
      turn += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const parse = JSON.parse;
    const turns: number[] = [];
    vi.spyOn(JSON, 'parse').mockImplementation((text: string) => {
      if (text.length > LARGE / 4) turns.push(turn);
      return parse(text) as unknown;
    });
    await opened.truth.loadShard(FENCE);
    isDone = true;
    expect(turns).toHaveLength(12);
    expect(new Set(turns).size).toBe(12);
  });
});
