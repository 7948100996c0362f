import { join } from 'node:path';
import pg from 'pg';
import { shardOf } from '@pawl/contracts';
import { freePort } from '../../../infra/dev/lib/ports.mjs';
import { call, startNode } from './stack.mjs';

const INSTALLATION = 'bench-nodes';
const IDS = ['node-1', 'node-2', 'node-3'];
const SETTLES_WITHIN_MS = 90_000;

/** Three control planes on a database of their own beside the stack's, members of one quorum. */
export async function startThreeNodes(stack) {
  const database = new URL(stack.postgresUrl);
  database.pathname = '/bench_nodes';
  const client = new pg.Client({ connectionString: stack.postgresUrl });
  await client.connect();
  await client.query('CREATE DATABASE bench_nodes');
  await client.end();
  const ports = {};
  for (const id of IDS) ports[id] = await freePort();
  const peers = IDS.map((id) => `${id}=127.0.0.1:${ports[id]}`).join(',');
  const nodes = {};
  const start = async (id) => {
    nodes[id] = await startNode({
      PAWL_DATA_DIR: join(stack.folder, id),
      PAWL_INSTALLATION: INSTALLATION,
      PAWL_POSTGRES_URL: database.href,
      PAWL_NATS_URL: stack.natsUrl,
      PAWL_NODE_ID: id,
      PAWL_PEER_PORT: String(ports[id]),
      PAWL_PEERS: peers,
    });
  };
  await Promise.all(IDS.map(start));
  const cluster = {
    ids: IDS,
    url: (id) => nodes[id].url,
    start,
    /** Ends one in order. */
    stop: (id) => nodes[id].stop(),
    /** Ends one at once. */
    kill: (id) => nodes[id].kill(),
    /** Until every node owns some shards and all are served; owner by shard. */
    settled: () => settled(IDS.map((id) => nodes[id].url)),
    stopAll: () => Promise.all(IDS.map((id) => nodes[id]?.stop())),
  };
  await cluster.settled();
  return cluster;
}

async function settled([url]) {
  const untilMs = performance.now() + SETTLES_WITHIN_MS;
  for (;;) {
    const { shards } = await call(url, 'GET', '/v1/cluster');
    const owners = shards.map(({ owner }) => owner);
    if (shards.every(({ serving }) => serving) && new Set(owners).size === IDS.length)
      return owners;
    if (performance.now() > untilMs) throw new Error('the shards did not settle');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** `count` roots whose shards this node owns. */
export function rootsOf(owners, id, count) {
  const roots = [];
  for (let n = 0; roots.length < count; n += 1) {
    if (owners[shardOf(`root-${n}`, owners.length)] === id) roots.push(`root-${n}`);
  }
  return roots;
}

/** A root of each of `count` shards, with its owner. */
export function rootsOfShards(owners, count) {
  const places = new Map();
  for (let n = 0; places.size < count; n += 1) {
    const root = `root-${n}`;
    const shard = shardOf(root, owners.length);
    if (!places.has(shard)) places.set(shard, { root, owner: owners[shard] });
  }
  return [...places.values()];
}
