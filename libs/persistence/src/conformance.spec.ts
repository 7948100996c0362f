import { statusStoreCases, truthStoreCases } from '@pawl/engine/testing';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { openTruth } from './open-truth.js';
import type { OpenedTruth } from './open-truth.js';
import { START_HOOK_MS, startPostgres } from './testing/postgres-server.js';
import type { PostgresServer } from './testing/postgres-server.js';

const SHARDS = 4;
let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

async function withTruth(run: (opened: OpenedTruth) => Promise<void>): Promise<void> {
  const url = await server.createInstallation(SHARDS);
  const opened = await openTruth({ url, installation: 'main', shards: SHARDS, nodeId: 'node-1' });
  try {
    await run(opened);
  } finally {
    await opened.close();
  }
}

describe('PostgreSQL as a TruthStore', () => {
  for (const { name, run } of truthStoreCases) {
    it(name, () => withTruth(({ truth }) => run({ truth, shards: SHARDS })));
  }
});

describe('PostgreSQL as a StatusStore', () => {
  for (const { name, run } of statusStoreCases) {
    it(name, () =>
      withTruth(({ truth, status, savedStatus }) =>
        run({
          status,
          savedStatus,
          shards: SHARDS,
          own: async (fence) => void (await truth.raiseFence(fence, 'node-1')),
        }),
      ),
    );
  }
});
