/** The tables that the limit of a PUT is measured on; one head per caller. */
export const BARE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS bare_fence (shard int PRIMARY KEY, token bigint NOT NULL);
  CREATE TABLE IF NOT EXISTS bare_head (address text PRIMARY KEY, version bigint NOT NULL);
  CREATE TABLE IF NOT EXISTS bare_version (
    address text, version bigint, document text, at timestamptz, PRIMARY KEY (address, version));
  INSERT INTO bare_fence VALUES (1, 1) ON CONFLICT DO NOTHING;
  INSERT INTO bare_head SELECT format('bench%s/app%s', n % 16, n), 0
    FROM generate_series(0, 1023) n ON CONFLICT DO NOTHING`;

/** BEGIN, fence, head, version, COMMIT: five round trips over named statements. */
export async function bareTransaction(client, address, document) {
  await client.query('BEGIN');
  const fence = await client.query({
    name: 'bare-fence',
    text: 'SELECT token FROM bare_fence WHERE shard = 1 FOR SHARE',
  });
  if (fence.rows[0].token !== '1') throw new Error('fenced');
  const head = await client.query({
    name: 'bare-head',
    text: 'UPDATE bare_head SET version = version + 1 WHERE address = $1 RETURNING version',
    values: [address],
  });
  const { version } = head.rows[0];
  await client.query({
    name: 'bare-version',
    text: 'INSERT INTO bare_version VALUES ($1, $2, $3, now())',
    values: [address, version, document],
  });
  await client.query('COMMIT');
  return version;
}
