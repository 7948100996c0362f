import { join } from 'node:path';
import { freePort } from '../../infra/dev/lib/ports.mjs';
import { startPostgres } from '../../infra/dev/lib/postgres.mjs';
import type { TestDatabase } from './database.js';
import { endWithUs } from './leash.js';
import { makeTemporaryFolder } from './temporary-folder.js';

/** A PostgreSQL of one test's own, to be taken down while others go on. */
export interface TestPostgres extends TestDatabase {
  /** Ends every process of the server at once, as kill -9 does. */
  crash(): Promise<void>;
  /** Starts it again on the same port, with what it committed. */
  start(): Promise<void>;
}

export async function startOwnPostgres(): Promise<TestPostgres> {
  const folder = await makeTemporaryFolder('postgres');
  const port = await freePort();
  const run = () =>
    startPostgres({
      folder: join(folder.path, 'cluster'),
      logFile: join(folder.path, 'postgres.log'),
      port,
      onSpawn: ({ pid }) => endWithUs(pid),
    });
  let running = await run();
  return {
    name: 'pawl',
    url: running.url,
    crash: () => running.crash(),
    start: async () => {
      running = await run();
    },
    drop: async () => {
      await running.service.stop();
      await folder.remove();
    },
  };
}
