import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { OutcomeUnknownError, TruthUnavailableError } from '@pawl/engine';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth, OpenTruthOptions } from '../open-truth.js';
import { Blocker, WAITS_FOR } from '../testing/blocker.js';
import { changeset, definition, fenceOf, record, written } from '../testing/changesets.js';
import { dumpTruth } from '../testing/dump-truth.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';

const FENCE = fenceOf(7, 20);
const FIRST = changeset({
  definitions: [definition('acme', 1)],
  history: [written('acme', 1)],
  idempotency: record('key'),
});

let server: PostgresServer;
let url: string;
let opened: OpenedTruth;
let blocker: Blocker;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

beforeEach(async () => {
  url = await server.createInstallation(64);
}, START_HOOK_MS);
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function open(options: Partial<OpenTruthOptions> = {}): Promise<void> {
  opened = await openTruth({
    url,
    installation: 'main',
    shards: 64,
    nodeId: 'node-1',
    ...options,
  });
  cleanups.push(() => opened.close());
  expect(await opened.truth.raiseFence(FENCE, 'node-1')).toBe('raised');
  blocker = await Blocker.open(url);
  cleanups.push(() => blocker.close().catch(() => undefined));
}

/** What a migration of a newer node may do: the function answers another type. */
async function migrate(name: string, from: string, to: string): Promise<void> {
  const [made]: { text: string }[] = await opened.dataSource.query(
    `SELECT pg_get_functiondef('${name}'::regproc) AS text`,
  );
  const changed = made?.text.replace(`RETURNS ${from}`, `RETURNS ${to}`) ?? '';
  expect(changed).not.toBe(made?.text);
  await opened.dataSource.query(`DROP FUNCTION ${name}; ${changed}`);
}

describe('a statement that sessions have prepared', () => {
  it('is done all the same after somebody changed what its function answers', async () => {
    await open({ poolSize: 1 });
    expect(await opened.truth.commit(FENCE, FIRST)).toMatchObject({ kind: 'committed' });
    await migrate('pawl_commit', 'bigint', 'numeric');
    for (const version of [2, 3]) {
      const next = changeset({ definitions: [definition('acme', version)] });
      expect(await opened.truth.commit(FENCE, next)).toEqual({
        kind: 'committed',
        commits: BigInt(version),
      });
    }
  });
});

describe('a node whose sessions are all busy', () => {
  it('is not without PostgreSQL: the watch and the fence checks wait for none of them', async () => {
    await open({ poolSize: 2 });
    await blocker.hold('LOCK TABLE history_entry IN EXCLUSIVE MODE');
    const order: string[] = [];
    const busy = [1, 2, 3].map((version) => {
      const some = changeset({ definitions: [definition(`acme/a${version}`, 1)] });
      return opened.truth.commit(FENCE, { ...some, history: FIRST.history }).catch(() => undefined);
    });
    const read = opened.truth.loadShard(FENCE);
    for (const work of [...busy, read]) void work.then(() => order.push('busy'));
    await blocker.someoneWaits(WAITS_FOR.table('history_entry'));
    const healthy = await opened.truth.healthy();
    const { tokens } = await opened.truth.readFences([FENCE.shard]);
    order.push('watched');
    expect([healthy, tokens.get(FENCE.shard), order]).toEqual([true, FENCE.token, ['watched']]);
    await blocker.release();
    await Promise.all([...busy, read]);
  });
});

describe('a node that claims very many shards at once', () => {
  it('is not without PostgreSQL: the watch waits for none of its questions', async () => {
    await open({ poolSize: 2 });
    await blocker.hold('LOCK TABLE shard_fence IN ACCESS EXCLUSIVE MODE');
    const order: string[] = [];
    const claims = [1, 2, 3, 4].map((shard) =>
      opened.truth.readFences([shard], { inTurn: true }).finally(() => order.push('claimed')),
    );
    await blocker.someoneWaits(WAITS_FOR.table('shard_fence'));
    const healthy = await opened.truth.healthy();
    order.push('watched');
    await blocker.release();
    expect([healthy, order[0]]).toEqual([true, 'watched']);
    expect((await Promise.all(claims)).map(({ tokens }) => tokens.size)).toEqual([0, 0, 0, 0]);
  });
});

describe('a commit', () => {
  it('whose connection breaks before the answer has an unknown outcome', async () => {
    const idle: Error[] = [];
    await open({ onIdleError: (error) => idle.push(error) });
    await blocker.hold('LOCK TABLE history_entry IN EXCLUSIVE MODE');
    const commit = opened.truth.commit(FENCE, FIRST);
    const caught = commit.catch((error: unknown) => error);
    await blocker.someoneWaits(WAITS_FOR.table('history_entry'));
    await server.restart();
    expect(await caught).toBeInstanceOf(OutcomeUnknownError);
    expect(await opened.truth.commit(FENCE, FIRST)).toMatchObject({ kind: 'committed' });
    expect(await opened.truth.healthy()).toBe(true);
  });

  it('of a group whose connection breaks has one unknown outcome: all of it or nothing', async () => {
    await open();
    const near = changeset({ root: 'near', definitions: [definition('near', 1)] });
    await blocker.hold('LOCK TABLE history_entry IN EXCLUSIVE MODE');
    const lost = opened.truth.commitAll(FENCE, [near, FIRST]).catch((error: unknown) => error);
    await blocker.someoneWaits(WAITS_FOR.table('history_entry'));
    await server.restart();
    expect(await lost).toBeInstanceOf(OutcomeUnknownError);
    expect(await opened.truth.loadShard(FENCE)).toEqual([]);
    expect(await opened.truth.commitAll(FENCE, [near, FIRST])).toMatchObject({ kind: 'committed' });
    expect((await opened.truth.loadShard(FENCE)).map(({ address }) => address)).toEqual([
      'acme',
      'near',
    ]);
  });

  it('that waits too long for a lock surely changes nothing', async () => {
    await open();
    const before = await dumpTruth(url);
    await blocker.hold('LOCK TABLE history_entry IN EXCLUSIVE MODE');
    await expect(opened.truth.commit(FENCE, FIRST)).rejects.toThrow(TruthUnavailableError);
    await blocker.release();
    expect(await dumpTruth(url)).toEqual(before);
    expect(await opened.truth.commit(FENCE, FIRST)).toMatchObject({ kind: 'committed' });
  });

  it('that runs into its statement time-out surely changes nothing', async () => {
    await open();
    await opened.dataSource.query(`
      CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep(20); RETURN NULL; END'`);
    await opened.dataSource.query(
      'CREATE TRIGGER slow AFTER INSERT ON history_entry EXECUTE FUNCTION slow()',
    );
    const before = await dumpTruth(url);
    const commit = opened.truth.commit(FENCE, FIRST);
    await expect(commit).rejects.toThrow(TruthUnavailableError);
    await expect(commit).rejects.toThrow(/statement timeout/);
    expect(await dumpTruth(url)).toEqual(before);
  });

  it('that waits for a synchronous standby is not known as long as that is away', async () => {
    await open({ leaseTtlMs: 2_000 });
    await server.restart(['fsync=off', 'synchronous_standby_names=absent']);
    try {
      await expect(opened.truth.commit(FENCE, FIRST)).rejects.toThrow(OutcomeUnknownError);
      const loads = [0, 1].map(() => opened.truth.loadRoot(FENCE, 'acme'));
      const statuses = (await Promise.allSettled(loads)).map(({ status }) => status);
      expect(statuses).toEqual(['rejected', 'rejected']);
    } finally {
      await server.restart();
    }
    const [image] = await opened.truth.loadRoot(FENCE, 'acme');
    expect(image?.newest?.version).toBe(1);
  });

  describe('that others make fail', () => {
    beforeEach(async () => {
      await open();
      await opened.dataSource.query('CREATE SEQUENCE attempts MINVALUE -99');
      await opened.dataSource.query(`
        CREATE FUNCTION unlucky() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN
            IF nextval('attempts') < 3 THEN
              RAISE EXCEPTION 'unlucky' USING ERRCODE = 'deadlock_detected';
            END IF;
            RETURN NULL;
          END $$`);
      await opened.dataSource.query(
        'CREATE TRIGGER unlucky AFTER INSERT ON history_entry EXECUTE FUNCTION unlucky()',
      );
    });

    const startAt = (first: number): Promise<unknown> =>
      opened.dataSource.query(`ALTER SEQUENCE attempts RESTART ${first}`);

    it('is repeated', async () => {
      await startAt(1);
      expect(await opened.truth.commit(FENCE, FIRST)).toMatchObject({ kind: 'committed' });
      const [tried] = await opened.dataSource.query<{ last_value: string }[]>(
        'SELECT last_value FROM attempts',
      );
      expect(tried?.last_value).toBe('3');
    });

    it('is given up after a few attempts', async () => {
      await startAt(-99);
      await expect(opened.truth.commit(FENCE, FIRST)).rejects.toThrow(TruthUnavailableError);
      expect(await opened.truth.readAudit({ limit: 10 })).toEqual([]);
    });

    it('reads the fence again when it is repeated', async () => {
      await startAt(2);
      await blocker.hold('LOCK TABLE history_entry IN EXCLUSIVE MODE');
      const commit = opened.truth.commit(FENCE, FIRST);
      await blocker.someoneWaits(WAITS_FOR.table('history_entry'));
      // Stands in the queue for the shard's lock, and so before the second attempt.
      const raised = opened.truth.raiseFence(fenceOf(FENCE.shard, 21), 'node-2');
      await blocker.someoneWaits(WAITS_FOR.shard(FENCE.shard));
      await blocker.release();
      expect(await raised).toBe('raised');
      expect(await commit).toEqual({ kind: 'fenced', token: 21n });
    });
  });

  it('to a server that is gone is surely not done, once no connection is left', async () => {
    const link = await Link.open(url);
    cleanups.push(() => link.close());
    await open({ url: link.url });
    await link.close();
    const gone = await opened.truth.commit(FENCE, FIRST).catch((error: unknown) => error);
    const unreachable = [TruthUnavailableError, OutcomeUnknownError];
    expect(unreachable.some((type) => gone instanceof type)).toBe(true);
    await expect(opened.truth.commit(FENCE, FIRST)).rejects.toThrow(TruthUnavailableError);
    expect(await opened.truth.healthy()).toBe(false);
    await expect(opened.truth.loadShard(FENCE)).rejects.toThrow(TruthUnavailableError);
  });
});

describe('reading fences', () => {
  it('waits for nobody who holds a shard or raises its fence', async () => {
    await open();
    await blocker.hold('UPDATE shard_fence SET token = 21');
    const raised = opened.truth.raiseFence(fenceOf(FENCE.shard, 22), 'node-2');
    await blocker.someoneWaits(WAITS_FOR.row);
    const { tokens } = await opened.truth.readFences([FENCE.shard]);
    expect(tokens).toEqual(new Map([[FENCE.shard, FENCE.token]]));
    await blocker.release();
    expect(await raised).toBe('raised');
  });

  it('knows none of another installation', async () => {
    await open();
    await opened.dataSource.query('UPDATE shard_fence SET installation = gen_random_uuid()');
    expect((await opened.truth.readFences([FENCE.shard])).tokens.size).toBe(0);
  });

  it('gives up before the other statements do', async () => {
    await open({ leaseTtlMs: 3_000 });
    await blocker.hold('LOCK TABLE shard_fence IN ACCESS EXCLUSIVE MODE');
    const reading = opened.truth.readFences([FENCE.shard]);
    await expect(reading).rejects.toThrow(TruthUnavailableError);
    await expect(reading).rejects.toThrow(/Query read timeout/);
    await blocker.release();
    expect((await opened.truth.readFences([FENCE.shard])).tokens.size).toBe(1);
  });
});

describe('reading a root again after an unknown outcome', () => {
  it('ends the session whose answer was lost before it looks', async () => {
    const link = await Link.open(url);
    cleanups.push(() => link.close());
    await open({ url: link.url, leaseTtlMs: 120_000 });
    await blocker.hold('LOCK TABLE history_entry IN EXCLUSIVE MODE');
    const lost = opened.truth.commit(FENCE, FIRST).catch((error: unknown) => error);
    await blocker.someoneWaits(WAITS_FOR.table('history_entry'));
    link.forgetClients();
    expect(await lost).toBeInstanceOf(OutcomeUnknownError);
    expect(await opened.truth.loadRoot(FENCE, 'acme')).toEqual([]);
    await blocker.release();
    expect(await opened.truth.loadRoot(FENCE, 'acme')).toEqual([]);
    expect(await opened.truth.commit(FENCE, FIRST)).toMatchObject({ kind: 'committed' });
  });

  it('waits for what is still being committed', async () => {
    await open();
    await blocker.hold('LOCK TABLE history_entry IN EXCLUSIVE MODE');
    const commit = opened.truth.commit(FENCE, FIRST);
    await blocker.someoneWaits(WAITS_FOR.table('history_entry'));
    const load = opened.truth.loadRoot(FENCE, 'acme');
    await blocker.someoneWaits(WAITS_FOR.shard(FENCE.shard));
    await blocker.release();
    expect(await commit).toMatchObject({ kind: 'committed' });
    expect((await load).map((image) => image.address)).toEqual(['acme']);
  });
});

/** A TCP link to PostgreSQL that can be cut on the client's side only. */
class Link {
  readonly #pairs = new Set<{ client: Socket; upstream: Socket }>();

  private constructor(
    readonly url: string,
    private readonly listener: Server,
  ) {}

  static async open(target: string): Promise<Link> {
    const { hostname, port } = new URL(target);
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address() as AddressInfo;
    const link = new Link(target.replace(port, String(address.port)), listener);
    listener.on('connection', (client) => {
      const upstream = createConnection({ host: hostname, port: Number(port) });
      link.#pairs.add({ client, upstream });
      for (const socket of [client, upstream]) socket.on('error', () => undefined);
      client.pipe(upstream, { end: false });
      upstream.pipe(client);
    });
    return link;
  }

  /** Clients see a reset; the server sees nothing at all. */
  forgetClients(): void {
    for (const { client } of this.#pairs) client.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
    this.#pairs.clear();
    if (this.listener.listening) {
      await new Promise((resolve) => this.listener.close(resolve));
    }
  }
}
