import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { NodeCluster, type OwnedShardView } from '../support/node-cluster.js';

const LEASE_TTL_MS = 4_000;
const TAKEN_WITHIN_MS = LEASE_TTL_MS + 20_000;

let cluster: NodeCluster;
/** One address of a shard of each node as it was at first, by the node. */
let addresses: ReadonlyMap<string, string>;
/** How many versions each address has. */
const written = new Map<string, number>();

beforeAll(async () => {
  cluster = await NodeCluster.start({ env: { PAWL_LEASE_TTL_MS: String(LEASE_TTL_MS) } });
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(cluster.logs());
});

afterAll(() => cluster?.stop());

const address = (id: string): string => addresses.get(id) ?? '';

const ownersOf = (shards: readonly OwnedShardView[]): readonly string[] =>
  [...new Set(shards.map(({ owner }) => owner))].sort();

/** Writes the next version at the address's owner and promotes it. */
async function write(at: string, ids = cluster.ids): Promise<void> {
  const before = written.get(at) ?? 0;
  const json = { n: before + 1 };
  const expect_ = before === 0 ? 'none' : before;
  const { version } = await cluster.atOwner(
    at,
    (admin) => admin.putConfig(at, { json }, { expect: expect_ }),
    ids,
  );
  expect(version).toBe(before + 1);
  written.set(at, version);
  await cluster.atOwner(at, (admin) => admin.release(at, { action: 'promote' }), ids);
}

it('comes up on an empty database when all nodes start at once, each with a part of the shards', async () => {
  const shards = await cluster.settled();
  expect(shards).toHaveLength(64);
  expect(ownersOf(shards)).toEqual(['node-1', 'node-2', 'node-3']);
  for (const id of cluster.ids) {
    await eventually(async () => {
      const { nodes, quorum } = await cluster.view(id);
      expect(nodes.map((node) => node.id)).toEqual(cluster.ids);
      expect(quorum.members).toEqual(cluster.ids);
      expect((await fetch(`${cluster.node(id).url}/readyz`)).status).toBe(200);
    });
  }
  addresses = new Map(
    cluster.ids.map((id) => [id, `${cluster.rootsOf(id, shards, 1).join('')}/app`]),
  );
});

it('gives consumers what is written, whichever node owns its shard', async () => {
  const pawl = await cluster.connectSdk({ workload: 'app' });
  for (const at of addresses.values()) {
    await write(at);
    const scope = await pawl.open<{ n: number }>(at);
    await eventually(() => expect(scope.current).toEqual({ n: 1 }));
    await write(at);
    await eventually(() => expect(scope.current).toEqual({ n: 2 }));
    await eventually(async () => {
      const rollout = await cluster.admin(await cluster.ownerOf(at)).rollout(at);
      expect(rollout).toMatchObject({ converged: true, consumers: { live: 1, applied: 1 } });
    });
  }
});

it('serves the shards of a node that was killed by the others, without a gap in the versions', async () => {
  const at = address('node-2');
  const rest = ['node-1', 'node-3'];
  await cluster.node('node-2').kill();
  await eventually(() => cluster.served(rest), TAKEN_WITHIN_MS);
  await write(at, rest);
  const { items } = await cluster.atOwner(at, (admin) => admin.history(at), rest);
  const versions = items.filter(({ kind }) => kind === 'definition').map(({ version }) => version);
  expect(versions).toEqual([3, 2, 1]);
});

it('gives a node that is back its part of the shards', async () => {
  await cluster.node('node-2').start();
  const shards = await cluster.settled();
  expect(ownersOf(shards)).toEqual(['node-1', 'node-2', 'node-3']);
  for (const at of addresses.values()) await write(at);
});

it('hands the shards of a node that is stopped over before it ends, under higher tokens', async () => {
  const rest = ['node-1', 'node-2'];
  const before = await cluster.served();
  expect(await cluster.node('node-3').shutDown()).toBe(0);
  const after = await cluster.served(rest);
  for (const { shard, owner, token } of before.filter((one) => one.owner === 'node-3')) {
    expect(rest).toContain(after[shard]?.owner);
    expect(after[shard]?.token, `shard ${shard} of ${owner}`).toBeGreaterThan(token);
  }
  await write(address('node-3'), rest);
});
