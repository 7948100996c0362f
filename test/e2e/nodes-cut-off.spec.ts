import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startNats } from '../support/nats.js';
import { NodeCluster } from '../support/node-cluster.js';
import { TcpGate } from '../support/tcp-gate.js';

/** The node that loses its ways alone. */
const LONELY = 'node-1';
const OTHERS = ['node-2', 'node-3'];

let cluster: NodeCluster;
let nats: TcpGate;
let postgres: TcpGate;
/** An address that the lonely node owns while it has both ways. */
let at: string;

beforeAll(async () => {
  const [database, broker] = [await createDatabase(), await startNats()];
  [nats, postgres] = [await TcpGate.to(broker.url), await TcpGate.to(database.url)];
  cluster = await NodeCluster.start({
    database,
    nats: broker,
    env: { PAWL_LEASE_TTL_MS: '3000' },
    ways: async ({ id, peerPort }) => ({
      peerPort,
      env:
        id === LONELY
          ? {
              PAWL_NATS_URL: nats.through(broker.url),
              PAWL_POSTGRES_URL: postgres.through(database.url),
            }
          : {},
    }),
  });
  const shards = await cluster.settled();
  at = `${cluster.rootsOf(LONELY, shards, 1).join('')}/app`;
  await cluster.admin(LONELY).putConfig(at, { json: { n: 0 } }, { expect: 'none' });
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(cluster.logs());
});

afterAll(async () => {
  await cluster?.stop();
  await nats?.end();
  await postgres?.end();
});

const put = (id: string, n: number) =>
  fetch(`${cluster.node(id).url}/v1/config/${at}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'if-match': '*' },
    body: JSON.stringify({ n }),
    signal: AbortSignal.timeout(20_000),
  });

async function lonely() {
  const { nodes } = await cluster.view('node-2');
  return nodes.find(({ id }) => id === LONELY);
}

it.each([
  ['NATS', () => nats],
  ['PostgreSQL', () => postgres],
])('a node that %s alone does not answer gives its shards up until it does', async (name, gate) => {
  gate().close();
  // Nobody is refused by any of the others while the shard moves.
  const written = await put('node-2', 1);
  expect(`${written.status} ${await written.text()}`).toMatch(/^200/);
  // An owner serves before the quorum's record says so.
  expect(OTHERS).toContain(await eventually(() => cluster.ownerOf(at, OTHERS)));
  await eventually(async () =>
    expect(await lonely()).toMatchObject({
      state: 'unready',
      shards: 0,
      problem: `${name} does not answer`,
    }),
  );
  expect((await fetch(`${cluster.node(LONELY).url}/readyz`)).status).toBe(503);
  gate().open();
  await eventually(async () => expect(await cluster.ownerOf(at, [LONELY])).toBe(LONELY), 60_000);
  expect((await put('node-3', 2)).status).toBe(200);
  expect(await cluster.admin('node-2').getConfig(at)).toMatchObject({ document: { n: 2 } });
});
