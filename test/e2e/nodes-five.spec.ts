import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { NodeCluster } from '../support/node-cluster.js';

const IDS = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'];
/** Two of five may be gone, and these two own what the others must take over. */
const [GONE, LEFT] = [IDS.slice(0, 2), IDS.slice(2)];

let cluster: NodeCluster;
/** One address of a shard of each node. */
let addresses: readonly string[];

beforeAll(async () => {
  cluster = await NodeCluster.start({ nodes: 5, env: { PAWL_LEASE_TTL_MS: '3000' } });
  const shards = await cluster.settled();
  addresses = IDS.map((id) => `${cluster.rootsOf(id, shards, 1).join('')}/app`);
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(cluster.logs());
});

afterAll(() => cluster?.stop());

/** The next version of each address, through one node after the other. */
async function writeAll(version: number, ids: readonly string[]): Promise<void> {
  for (const [at, address] of addresses.entries()) {
    const id = ids[at % ids.length] ?? '';
    const outcome = await eventually(async () => {
      const answer = await fetch(`${cluster.node(id).url}/v1/config/${address}`, {
        method: 'PUT',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': `${address} ${version}`,
          ...(version === 1 ? { 'if-none-match': '*' } : { 'if-match': `"${version - 1}"` }),
        },
        body: JSON.stringify({ n: version }),
      });
      if (answer.status === 503) throw new Error(await answer.text());
      return (await answer.json()) as { version: number };
    });
    expect(outcome.version).toBe(version);
  }
}

it('five nodes share the shards, and take writes for all through any', async () => {
  await writeAll(1, IDS);
});

it('goes on with three of five, also while the two that are gone were owners', async () => {
  await Promise.all(GONE.map((id) => cluster.node(id).kill()));
  await eventually(() => cluster.served(LEFT), 60_000);
  await writeAll(2, LEFT);
});

it('gives the two their shards back, with what was written meanwhile', async () => {
  await Promise.all(GONE.map((id) => cluster.node(id).start()));
  await cluster.settled();
  await writeAll(3, IDS);
  for (const id of IDS) {
    for (const address of addresses) {
      expect(
        await (await fetch(`${cluster.node(id).url}/v1/config/${address}`)).json(),
      ).toMatchObject({ version: 3, document: { n: 3 } });
    }
  }
});
