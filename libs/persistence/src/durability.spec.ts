import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Client } from 'pg';
import { FencedError, TruthUnavailableError } from '@pawl/engine';
import { openTruth } from './open-truth.js';
import type { OpenedTruth } from './open-truth.js';
import { changeset, definition, fenceOf } from './testing/changesets.js';
import { START_HOOK_MS, startPostgres } from './testing/postgres-server.js';
import type { PostgresServer } from './testing/postgres-server.js';

const FENCE = fenceOf(7, 20);
/** A server's start, copy and restart, on a busy machine. */
const SERVERS_MS = 120_000;

let server: PostgresServer;
let url: string;
let opened: OpenedTruth | undefined;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);
beforeEach(async () => {
  url = await server.createDatabase();
}, START_HOOK_MS);
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

async function open(at = url): Promise<OpenedTruth> {
  opened = await openTruth({ url: at, installation: 'main', shards: 64, nodeId: 'node-1' });
  return opened;
}

async function administrate(at: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: at });
  await client.connect();
  await client.query(statement);
  await client.end();
}

/** How sessions of the pool commit, several of them at once. */
async function synchronousCommits({ dataSource }: OpenedTruth): Promise<string[]> {
  const ask = (): Promise<{ set: string }[]> =>
    dataSource.query("SELECT current_setting('synchronous_commit') AS set, pg_sleep(0.02)");
  const answers = await Promise.all([ask(), ask(), ask()]);
  return answers.map(([row]) => row!.set);
}

describe('a PostgreSQL that does not keep what it commits', () => {
  it(
    'is told of, setting by setting, and one that does is not',
    { timeout: SERVERS_MS },
    async () => {
      const about = async (...settings: string[]): Promise<(string | undefined)[]> => {
        await server.restart(settings);
        const { notes, close } = await open();
        await close();
        return notes.map((note) => /\b(\w+=off)\b/.exec(note)?.[1]);
      };
      expect(await about('fsync=off', 'full_page_writes=off')).toEqual([
        'fsync=off',
        'full_page_writes=off',
      ]);
      expect(await about('fsync=on', 'full_page_writes=off')).toEqual(['full_page_writes=off']);
      expect(await about('synchronous_commit=off')).toEqual(['synchronous_commit=off']);
      expect(await about()).toEqual([]);
      await server.restart();
    },
  );

  it.each(['DATABASE current', 'ROLE postgres'])(
    'by synchronous_commit=off of the %s keeps it in our sessions, and is told of',
    async (of) => {
      const owner = of.replace('current', new URL(url).pathname.slice(1));
      await administrate(url, `ALTER ${owner} SET synchronous_commit = off`);
      try {
        const truth = await open();
        expect(truth.notes.filter((note) => note.includes('synchronous_commit=off'))).toHaveLength(
          1,
        );
        expect(await synchronousCommits(truth)).toEqual(['on', 'on', 'on']);
      } finally {
        await administrate(url, `ALTER ${owner} RESET synchronous_commit`);
      }
    },
  );

  it.each(['local', 'remote_write', 'remote_apply'])(
    'is not what synchronous_commit=%s means: it stays as it is',
    async (level) => {
      const database = new URL(url).pathname.slice(1);
      await administrate(url, `ALTER DATABASE ${database} SET synchronous_commit = ${level}`);
      const truth = await open();
      expect(truth.notes.filter((note) => note.includes('synchronous_commit'))).toEqual([]);
      expect(await synchronousCommits(truth)).toEqual([level, level, level]);
    },
  );
});

describe('a standby', () => {
  it(
    'is refused, and takes writes once it is promoted and the fence raised there',
    { timeout: SERVERS_MS },
    async () => {
      const primary = await open();
      await primary.truth.raiseFence(FENCE, 'node-1');
      const first = changeset({ definitions: [definition('acme', 1)] });
      expect(await primary.truth.commit(FENCE, first)).toMatchObject({ kind: 'committed' });
      const before = await primary.truth.readFences([FENCE.shard]);
      const standby = await server.standby();
      try {
        const copy = url.replace(new URL(url).host, standby.host);
        const refused = open(copy);
        await expect(refused).rejects.toThrow(TruthUnavailableError);
        await expect(refused).rejects.toThrow(/is a standby .* promote this one/);

        await administrate(copy, 'SELECT pg_promote()');
        const promoted = await open(copy);
        const after = await promoted.truth.readFences([FENCE.shard]);
        expect(after.tokens).toEqual(before.tokens);
        const [identifier, timeline] = before.server.split('/');
        expect([timeline, after.server]).toEqual(['00000001', `${identifier}/00000002`]);
        const next = changeset({ definitions: [definition('acme', 2)] });
        const fenced = { kind: 'fenced', token: FENCE.token };
        expect(await promoted.truth.commit(FENCE, next)).toEqual(fenced);
        expect(await promoted.truth.commitAll(FENCE, [next, next])).toEqual(fenced);
        await expect(promoted.truth.loadShard(FENCE)).rejects.toThrow(FencedError);
        expect(await promoted.truth.raiseFence(FENCE, 'node-2')).toBe('superseded');
        expect(await promoted.truth.raiseFence(FENCE, 'node-1')).toBe('raised');
        expect(await promoted.truth.commit(FENCE, next)).toMatchObject({ kind: 'committed' });
        await promoted.close();

        expect(await primary.truth.readFences([FENCE.shard])).toEqual(before);
      } finally {
        await primary.close();
        await standby.stop();
      }
    },
  );
});
