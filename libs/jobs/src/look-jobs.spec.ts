import { address, done, refused, type Address } from '@pawl/contracts';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startLookJobs, type LookJobs, type LookJobsOptions } from './look-jobs.js';
import type { QueueServer } from './queue-backend.js';
import { EventLog } from './testing/event-log.js';
import { temporaryPostgres, type TemporaryPostgres } from './testing/temporary-postgres.js';
import { temporaryRedis, type TemporaryRedis } from './testing/temporary-redis.js';

const APP = address('acme/app:limits');
const OTHER = address('acme/other');
const RARELY = 3_600_000;

let postgres: TemporaryPostgres;
let redis: TemporaryRedis;
const running: LookJobs[] = [];
let installations = 0;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([temporaryPostgres(), temporaryRedis()]);
}, 60_000);
afterAll(() => Promise.all([postgres.remove(), redis.remove()]));
afterEach(async () => {
  await Promise.all(running.splice(0).map((jobs) => jobs.close()));
});

async function start(
  server: QueueServer,
  log: EventLog,
  over: Partial<LookJobsOptions> & { readonly deliver?: () => Promise<number | null> } = {},
): Promise<LookJobs> {
  const { deliver = () => Promise.resolve(null), ...others } = over;
  const jobs = await startLookJobs({
    server,
    installation: `test${installations}`,
    lookAgain: (at: Address) => {
      log.add(`look ${at.text}`);
      return Promise.resolve(done(null));
    },
    webhooks: {
      endpoints: ['hooks-1'],
      deliver: (endpoint) => {
        log.add(`deliver ${endpoint}`);
        return deliver();
      },
      everyMs: RARELY,
    },
    observer: {
      failed: (kind, error) => log.add(`failed ${kind} ${error.message}`),
      disturbed: () => log.add('disturbed'),
    },
    ...others,
  });
  running.push(jobs);
  return jobs;
}

const servers = {
  PostgreSQL: (): QueueServer => ({
    postgresUrl: postgres.url,
    redisUrl: null,
    installationId: 'test',
  }),
  Redis: (): QueueServer => ({
    postgresUrl: 'postgresql://127.0.0.1:1/none',
    redisUrl: redis.url,
    installationId: 'test',
  }),
};

for (const [name, server] of Object.entries(servers)) {
  describe(`look jobs on ${name}`, () => {
    it('look at an address at its time, once however often that is asked for, on one of the nodes', async () => {
      installations += 1;
      const log = new EventLog();
      const nodes = [await start(server(), log), await start(server(), log)];
      const soon = Date.now() + 1_000;
      for (const node of [...nodes, ...nodes]) node.at(APP, soon);
      nodes[0]?.at(OTHER, soon + 300);
      await log.until(() => log.count(`look ${OTHER.text}`) === 1);
      expect(log.count(`look ${APP.text}`)).toBe(1);
      expect(Date.now()).toBeGreaterThanOrEqual(soon);
    });

    it('look at once when the time is over, and try again while nobody owns the address', async () => {
      installations += 1;
      const log = new EventLog();
      let tries = 0;
      const node = await start(server(), log, {
        lookAgain: (at) => {
          tries += 1;
          log.add(`try ${at.text}`);
          return Promise.resolve(
            tries < 2 ? refused('no-owner', 'it moves') : refused('not-found', 'gone'),
          );
        },
      });
      node.at(APP, 0);
      await log.until(() => log.count(`try ${APP.text}`) === 2);
      expect(log.entries.filter((entry) => entry.startsWith('failed'))).toEqual([]);
    });

    it('ask for deliveries after commits, many of which share one, and when a delivery says so', async () => {
      installations += 1;
      const log = new EventLog();
      const again = [20, null];
      const node = await start(server(), log, {
        deliver: () => Promise.resolve(again.shift() ?? null),
      });
      await log.until(() => log.count('deliver hooks-1') >= 2);
      const before = log.count('deliver hooks-1');
      for (let commits = 0; commits < 1_000; commits += 1) node.committed();
      await log.until(() => log.count('deliver hooks-1') > before);
      node.at(OTHER, Date.now() + 300);
      await log.until(() => log.count(`look ${OTHER.text}`) === 1);
      expect(log.count('deliver hooks-1')).toBeLessThan(before + 10);
    });

    it('share the look at what waits for its time, however many commits come until then', async () => {
      installations += 1;
      const log = new EventLog();
      const dueMs = Date.now() + 4_000;
      let commits = 0;
      const node = await start(server(), log, {
        deliver: () => Promise.resolve(commits < 20 ? dueMs - Date.now() : null),
      });
      for (let asked = 1; commits < 20; asked += 1) {
        await log.until(() => log.count('deliver hooks-1') >= asked);
        commits += 1;
        node.committed();
      }
      await log.until(() => log.count('deliver hooks-1') >= 21);
      node.at(OTHER, dueMs + 1_500);
      await log.until(() => log.count(`look ${OTHER.text}`) === 1);
      expect(log.count('deliver hooks-1')).toBeLessThan(26);
    });

    it('look at endpoints by themselves as well, and leave alone those that they do not know', async () => {
      installations += 1;
      const log = new EventLog();
      await start(server(), log, {
        webhooks: {
          endpoints: ['hooks-1', 'hooks-2'],
          deliver: (endpoint) => {
            log.add(`deliver ${endpoint}`);
            return Promise.reject(new Error('no PostgreSQL'));
          },
          everyMs: 100,
        },
      });
      await log.until(() => log.count('deliver hooks-2') >= 3);
      await log.until(() => log.count('failed webhook no PostgreSQL') >= 3);
    });

    it('close although a look hangs', async () => {
      installations += 1;
      const log = new EventLog();
      const node = await start(server(), log, {
        lookAgain: (at) => {
          log.add(`look ${at.text}`);
          return new Promise(() => undefined);
        },
      });
      node.at(APP, 0);
      await log.until(() => log.count(`look ${APP.text}`) === 1);
      await node.close();
      node.at(OTHER, 0);
      node.committed();
    });
  });
}

it('look jobs hold few connections to PostgreSQL', async () => {
  installations += 1;
  const log = new EventLog();
  const node = await start(servers.PostgreSQL(), log);
  for (let time = 0; time < 100; time += 1) node.at(APP, time);
  await log.until(() => log.count(`look ${APP.text}`) === 100);
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  const { rows } = await client.query<{ count: string }>(
    `SELECT count(*) FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
  await client.end();
  expect(Number(rows[0]?.count)).toBeLessThanOrEqual(6);
});

describe('look jobs whose server goes away', () => {
  it('lose hints and nothing else: PostgreSQL', async () => {
    installations += 1;
    const log = new EventLog();
    const node = await start(servers.PostgreSQL(), log);
    await log.until(() => log.count('deliver hooks-1') === 1);
    await postgres.crash();
    node.at(APP, 0);
    await log.until(() => log.count('disturbed') >= 1);
    await postgres.start();
    await askedUntilLooked(node, log);
  });

  it('lose hints and nothing else: Redis, which forgets all that it held', async () => {
    installations += 1;
    const log = new EventLog();
    const node = await start(servers.Redis(), log);
    await log.until(() => log.count('deliver hooks-1') === 1);
    node.at(OTHER, Date.now() + 600_000);
    await redis.crash();
    node.at(APP, 0);
    await log.until(() => log.count('disturbed') >= 1);
    await redis.start();
    await askedUntilLooked(node, log);
  });

  it('bear a Redis that holds still, and close meanwhile', async () => {
    installations += 1;
    const log = new EventLog();
    const node = await start(servers.Redis(), log);
    await log.until(() => log.count('deliver hooks-1') === 1);
    redis.pause();
    try {
      for (let hints = 0; hints < 1_000; hints += 1) node.at(APP, hints);
      await log.until(() => log.count('disturbed') >= 1);
      await node.close();
    } finally {
      redis.resume();
    }
  });

  it('cannot be started without it', async () => {
    installations += 1;
    await redis.crash();
    try {
      await expect(start(servers.Redis(), new EventLog())).rejects.toThrow();
    } finally {
      await redis.start();
    }
  });
});

/** As the owner does, which asks again when it has looked by itself. */
async function askedUntilLooked(node: LookJobs, log: EventLog): Promise<void> {
  const asking = setInterval(() => node.at(APP, Date.now()), 100);
  try {
    await log.until(() => log.count(`look ${APP.text}`) >= 1);
  } finally {
    clearInterval(asking);
  }
}
