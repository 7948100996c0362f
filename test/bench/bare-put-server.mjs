// The limit that a PUT is held against: Fastify and one explicit fenced transaction, nothing else.
import Fastify from 'fastify';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.argv[2], max: 16 });
pool.on('error', () => undefined);
const app = Fastify({ logger: false });

/** BEGIN, fence, head, version, COMMIT: five round trips over named statements. */
export async function bareTransaction(client, address, document) {
  await client.query('BEGIN');
  const fence = await client.query({
    name: 'fence',
    text: 'SELECT token FROM bare_fence WHERE shard = 1 FOR SHARE',
  });
  if (fence.rows[0].token !== '1') throw new Error('fenced');
  const head = await client.query({
    name: 'head',
    text: 'UPDATE bare_head SET version = version + 1 WHERE address = $1 RETURNING version',
    values: [address],
  });
  await client.query({
    name: 'version',
    text: 'INSERT INTO bare_version VALUES ($1, $2, $3, now())',
    values: [address, head.rows[0].version, document],
  });
  await client.query('COMMIT');
  return head.rows[0].version;
}

app.put('/v1/config/*', async (request) => {
  const client = await pool.connect();
  try {
    const version = await bareTransaction(client, request.params['*'], JSON.stringify(request.body));
    return { version };
  } finally {
    client.release();
  }
});
await app.listen({ port: 0, host: '127.0.0.1' });
process.send?.({ port: app.server.address().port });
process.on('disconnect', () => process.exit(0));
