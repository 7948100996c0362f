import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { startSweepJobs, SWEEP_KINDS, type SweepJobs } from './sweep-jobs.js';
import { EventLog } from './testing/event-log.js';
import { temporaryRedis, type TemporaryRedis } from './testing/temporary-redis.js';

let redis: TemporaryRedis;
const running: SweepJobs[] = [];

beforeAll(async () => {
  redis = await temporaryRedis();
});
afterAll(() => redis.remove());
afterEach(async () => {
  await Promise.all(running.splice(0).map((jobs) => jobs.close()));
});

async function start(log: EventLog, installationId = 'test'): Promise<void> {
  const jobs = await startSweepJobs({
    server: {
      postgresUrl: 'postgresql://127.0.0.1:1/none',
      redisUrl: redis.url,
      installationId,
    },
    installation: 'main',
    intervalMs: { idempotency: 100, consumers: 100, contents: 100 },
    sweeper: { sweep: () => Promise.resolve(3) },
    observer: {
      swept: (kind, removed) => log.add(`swept ${kind} ${removed}`),
      failed: (kind, error) => log.add(`failed ${kind} ${error.message}`),
      disturbed: () => log.add('disturbed'),
    },
  });
  running.push(jobs);
}

const sweptAgain = (log: EventLog): Promise<void> => {
  const before = new Map(SWEEP_KINDS.map((kind) => [kind, log.count(`swept ${kind} 3`)]));
  return log.until(() =>
    SWEEP_KINDS.every((kind) => log.count(`swept ${kind} 3`) >= (before.get(kind) ?? 0) + 2),
  );
};

describe('sweep jobs on Redis', () => {
  it('sweep every kind, again and again, for several installations of one name', async () => {
    const logs = [new EventLog(), new EventLog()];
    await Promise.all(logs.map((log, at) => start(log, `id-${at}`)));
    await Promise.all(logs.map(sweptAgain));
  });

  it('go on after Redis was away and forgot everything, the schedule too', async () => {
    const log = new EventLog();
    await start(log);
    await sweptAgain(log);
    await redis.crash();
    await log.until(() => log.count('disturbed') >= 1);
    await redis.start();
    await sweptAgain(log);
  });
});
