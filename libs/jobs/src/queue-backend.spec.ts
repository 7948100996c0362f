import { afterAll, beforeAll, expect, it } from 'vitest';
import { queueBackend } from './queue-backend.js';
import { temporaryRedis, type TemporaryRedis } from './testing/temporary-redis.js';

let redis: TemporaryRedis;
beforeAll(async () => {
  redis = await temporaryRedis();
});
afterAll(() => redis.remove());

it('a password that Redis refuses is in no error, since errors are logged', async () => {
  const redisUrl = redis.url.replace('hunter2', 'hunter3');
  const server = { postgresUrl: '', redisUrl, installationId: 'test' };
  const queue = queueBackend(server).queue('any');
  const error = await new Promise<Error>((resolve) => queue.on('error', resolve));
  await queue.close();
  expect(error.message).toContain('WRONGPASS');
  expect(JSON.stringify({ ...error })).not.toContain('hunter3');
});
