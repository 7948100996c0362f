import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';
import { prepareSession } from './prepare-session.js';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

it('knows the process of the server, also where a pooler gave another number', async () => {
  const client = new Client({ connectionString: await server.createDatabase() });
  await client.connect();
  try {
    const known = client as Client & { processID: number | null };
    const process = known.processID;
    known.processID = 1;
    await prepareSession(client);
    expect(known.processID).toBe(process);
  } finally {
    await client.end();
  }
});
