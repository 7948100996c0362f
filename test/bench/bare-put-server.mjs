// The limit that a PUT is held against: Fastify and one explicit fenced transaction, nothing else.
import Fastify from 'fastify';
import pg from 'pg';
import { BARE_SCHEMA, bareTransaction } from './lib/bare-transaction.mjs';

const pool = new pg.Pool({ connectionString: process.argv[2], max: 16 });
pool.on('error', () => undefined);
await pool.query(BARE_SCHEMA);
const app = Fastify({ logger: false });

app.put('/v1/config/*', async (request) => {
  const client = await pool.connect();
  try {
    const version = await bareTransaction(
      client,
      request.params['*'],
      JSON.stringify(request.body),
    );
    return { version };
  } finally {
    client.release();
  }
});

await app.listen({ port: 0, host: '127.0.0.1' });
process.send({ port: app.server.address().port });
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
