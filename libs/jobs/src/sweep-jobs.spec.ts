import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { SweepKind } from '@pawl/engine';
import { createPostgresBackend, withBackend, type Queue } from 'bullmq';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { QueueServer } from './queue-backend.js';
import {
  startSweepJobs,
  SWEEP_KINDS,
  type SweepJobs,
  type SweepJobsOptions,
} from './sweep-jobs.js';
import { EventLog } from './testing/event-log.js';
import { temporaryPostgres, type TemporaryPostgres } from './testing/temporary-postgres.js';

let postgres: TemporaryPostgres;
const running: SweepJobs[] = [];
let installations = 0;

beforeAll(async () => {
  postgres = await temporaryPostgres();
}, 60_000);
afterAll(() => postgres.remove());
afterEach(async () => {
  await Promise.all(running.splice(0).map((jobs) => jobs.close()));
});

const OFTEN = { idempotency: 100, consumers: 100, contents: 100 };
const RARELY = { idempotency: 3_600_000, consumers: 3_600_000, contents: 3_600_000 };

async function start(log: EventLog, over: Partial<SweepJobsOptions> = {}): Promise<SweepJobs> {
  const jobs = await startSweepJobs({
    server: serverAt(postgres.url),
    installation: `test${installations}`,
    intervalMs: OFTEN,
    sweeper: { sweep: async (kind) => (log.add(`sweep ${kind}`), 3) },
    observer: {
      swept: (kind, removed) => log.add(`swept ${kind} ${removed}`),
      failed: (kind, error) => log.add(`failed ${kind} ${error.message}`),
      disturbed: () => log.add('disturbed'),
    },
    ...over,
  });
  running.push(jobs);
  return jobs;
}

function serverAt(postgresUrl: string): QueueServer {
  return { postgresUrl, redisUrl: null, installationId: 'test' };
}

async function connected(): Promise<Client> {
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  return client;
}

interface Gate {
  readonly url: string;
  letThrough(count: number): void;
  /** Resolves when the next connection is cut off. */
  cuts(): Promise<void>;
  /** Ends so many new connections in the breath in which they are ready. */
  endWhenReady(count: number): void;
  /** How many of those are still to come. */
  readonly toEnd: number;
  close(): void;
}

/** ReadyForQuery of a session outside a transaction, and ErrorResponse 57P01 (PostgreSQL's protocol). */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1');
const FIELDS = 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0';
const LENGTH = Buffer.alloc(4);
LENGTH.writeInt32BE(4 + FIELDS.length);
const TERMINATED = Buffer.concat([Buffer.from('E'), LENGTH, Buffer.from(FIELDS)]);

/** A way to PostgreSQL that lets so many connections through, and cuts the others off. */
async function openGate(target: string): Promise<Gate> {
  let left = 0;
  let toEnd = 0;
  let cut = (): void => undefined;
  const { hostname, port } = new URL(target);
  const server = createServer((incoming) => {
    incoming.on('error', () => undefined);
    if (left <= 0) {
      cut();
      return void incoming.destroy();
    }
    left -= 1;
    const outgoing = connect(Number(port), hostname);
    outgoing.on('error', () => incoming.destroy());
    outgoing.on('close', () => incoming.destroy());
    incoming.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
    let isReady = false;
    outgoing.on('data', (chunk: Buffer) => {
      const becomesReady = !isReady && chunk.subarray(-READY.length).equals(READY);
      isReady ||= becomesReady;
      if (toEnd === 0 || !becomesReady) {
        incoming.write(chunk);
        return;
      }
      toEnd -= 1;
      incoming.end(Buffer.concat([chunk, TERMINATED]));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    letThrough: (count) => void (left = count),
    cuts: () => new Promise((resolve) => (cut = resolve)),
    endWhenReady: (count) => void (toEnd = count),
    get toEnd() {
      return toEnd;
    },
    close: () => server.close(),
  };
}

describe('sweep jobs on PostgreSQL', () => {
  it('sweep every kind, again and again, and tell what was removed', async () => {
    installations += 1;
    const log = new EventLog();
    await start(log);
    await log.until(() => SWEEP_KINDS.every((kind) => log.count(`swept ${kind} 3`) >= 3));
  });

  it('run once per interval however many nodes start at the same time, and start again on the same schedule', async () => {
    await start(new EventLog(), { installation: 'another' });
    installations += 1;
    const log = new EventLog();
    const nodes = 3;
    const holder = await connected();
    await holder.query('BEGIN; LOCK TABLE pawl_jobs.scheduler IN SHARE MODE');
    const starting = Array.from({ length: nodes }, () => start(log, { intervalMs: RARELY }));
    const held = `SELECT DISTINCT pid FROM pg_locks WHERE NOT granted
      AND (locktype = 'advisory' OR relation = 'pawl_jobs.scheduler'::regclass)`;
    while ((await query(held)).length < nodes);
    await holder.query('ROLLBACK');
    await holder.end();
    await Promise.all(starting);
    await log.until(() => SWEEP_KINDS.every((kind) => log.count(`swept ${kind} 3`) > 0));
    expect(await waitingOf(`test${installations}`)).toBe(0);
    await Promise.all(running.splice(0).map((jobs) => jobs.close()));
    await start(log, { intervalMs: RARELY });
    expect(await schedulersOf(`test${installations}`)).toBe(SWEEP_KINDS.length);
    for (const kind of SWEEP_KINDS) expect(log.count(`sweep ${kind}`)).toBe(1);
  });

  it('go on after a sweep that failed', async () => {
    installations += 1;
    const log = new EventLog();
    const sweeper = {
      sweep: async (kind: SweepKind): Promise<number> => {
        if (kind === 'contents') throw new Error('no owner');
        return 1;
      },
    };
    await start(log, { sweeper });
    await log.until(() => log.count('failed contents no owner') >= 2);
    await log.until(() => log.count('swept consumers 1') >= 2);
  });

  it('come back by themselves after PostgreSQL was away', async () => {
    installations += 1;
    const log = new EventLog();
    await start(log);
    await log.until(() => log.count('swept consumers 3') >= 1);
    await postgres.crash();
    await log.until(() => log.count('disturbed') >= 1);
    await postgres.start();
    const before = log.count('swept consumers 3');
    await log.until(() => log.count('swept consumers 3') >= before + 2);
  });

  it('survive that PostgreSQL ends connections for listening in the breath in which they are ready', async () => {
    installations += 1;
    const gate = await openGate(postgres.url);
    gate.letThrough(Infinity);
    const log = new EventLog();
    await start(log, { server: serverAt(gate.url) });
    await log.until(() => log.count('swept consumers 3') >= 1);
    gate.endWhenReady(1);
    while (gate.toEnd > 0) {
      await query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LISTEN bullmq_jobs%' AND pid <> pg_backend_pid()",
      );
      await setTimeout(10);
    }
    const before = log.count('swept consumers 3');
    await log.until(() => log.count('swept consumers 3') >= before + 2);
    await Promise.all(running.splice(0).map((jobs) => jobs.close()));
    gate.close();
  });

  it('close although a sweep hangs', async () => {
    installations += 1;
    const log = new EventLog();
    const sweeper = {
      sweep: (kind: SweepKind, signal: AbortSignal) => {
        log.add(`sweep ${kind}`);
        signal.addEventListener('abort', () => log.add('told to give up'));
        return new Promise<number>(() => undefined);
      },
    };
    const jobs = await start(log, { sweeper });
    await log.until((entries) => entries.length > 0);
    await jobs.close();
    expect(log.entries.some((entry) => entry.startsWith('swept'))).toBe(false);
    expect(log.count('told to give up')).toBe(1);
    expect(await connections()).toBe(0);
  });

  it('hold few connections', async () => {
    installations += 1;
    const log = new EventLog();
    await start(log);
    await log.until(() => log.count('swept contents 3') >= 2);
    expect(await connections()).toBeLessThanOrEqual(6);
  });
});

describe('sweep jobs that cannot run', () => {
  it('reject, and the process lives, when a connection is lost while the tables are made', async () => {
    installations += 1;
    const [holder, watcher] = [await connected(), await connected()];
    await holder.query('DROP SCHEMA IF EXISTS pawl_jobs CASCADE');
    await holder.query('BEGIN; CREATE SCHEMA pawl_jobs');
    const starting = start(new EventLog()).catch((error: unknown) => error);
    const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while ((await watcher.query(cut)).rowCount === 0);
    expect(await starting).toBeInstanceOf(Error);
    await holder.query('ROLLBACK');
    await Promise.all([holder.end(), watcher.end()]);
  });

  it('reject whichever connection fails first, and sweep once none does', async () => {
    installations += 1;
    const gate = await openGate(postgres.url);
    const log = new EventLog();
    let refused = 0;
    for (let jobs: SweepJobs | undefined; jobs === undefined; refused += 1) {
      gate.letThrough(refused);
      jobs = await start(log, { server: serverAt(gate.url) }).catch(() => undefined);
    }
    expect(refused).toBeGreaterThan(1);
    await gate.cuts();
    gate.letThrough(Infinity);
    await log.until(() => SWEEP_KINDS.every((kind) => log.count(`swept ${kind} 3`) >= 1));
    await Promise.all(running.splice(0).map((jobs) => jobs.close()));
    gate.close();
  });

  it('reject when PostgreSQL is not there', async () => {
    const starting = start(new EventLog(), {
      server: serverAt('postgresql://postgres@127.0.0.1:1/none'),
    });
    await expect(starting).rejects.toThrow(/ECONNREFUSED/);
  });
});

async function query<T extends object>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query<T>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** Connections to the database besides the asking one. */
async function connections(): Promise<number> {
  const rows = await query<{ count: string }>(
    `SELECT count(*) FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
  return Number(rows[0]?.count);
}

async function schedulersOf(installation: string): Promise<number> {
  return onQueue(installation, async (queue) => (await queue.getJobSchedulers()).length);
}

/** Sweeps that are due and not taken up yet. */
async function waitingOf(installation: string): Promise<number> {
  return onQueue(installation, (queue) => queue.getWaitingCount());
}

async function onQueue<T>(installation: string, ask: (queue: Queue) => Promise<T>): Promise<T> {
  const classes = withBackend(createPostgresBackend);
  const connection = { connectionString: postgres.url, schema: 'pawl_jobs', max: 1 };
  const queue = new classes.Queue(`pawl-${installation}-sweeps`, { connection });
  try {
    return await ask(queue as unknown as Queue);
  } finally {
    await queue.close();
  }
}
