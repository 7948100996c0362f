import { subjectsOf } from '@pawl/contracts';
import type { Scope } from '@pawl/sdk';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  startNatsCluster,
  type NatsCluster,
  type NatsServerName,
} from '../support/nats-cluster.js';
import { NodeCluster, type OwnedShardView } from '../support/node-cluster.js';

/** The node whose NATS server is cut off, and that server. */
const LONELY = 'node-1';
const CUT = 'nats-1';
const OTHERS = ['node-2', 'node-3'];
const STREAMS = [subjectsOf('main').snapshotStream, subjectsOf('main').contentStream];
/** Servers elect who leads a stream, nodes settle, shards move. */
const ASK_EVERY_MS = 250;
const WITHIN_MS = 90_000;

let nats: NatsCluster;
let cluster: NodeCluster;
/** To the servers that are never cut off. */
let observer: NatsConnection;
/** One address of a shard of each node as it was at first, and what consumers of it have. */
let scopes: ReadonlyMap<string, Scope<{ n: number }>>;

beforeAll(async () => {
  nats = await startNatsCluster();
  const servers = (['nats-2', 'nats-3'] as const).map((name) => nats.url(name));
  observer = await eventually(() => connect({ servers, maxReconnectAttempts: -1 }));
  cluster = await NodeCluster.start({
    env: { PAWL_LEASE_TTL_MS: '3000' },
    ways: async ({ id, peerPort }) => {
      const own = id.replace('node', 'nats') as NatsServerName;
      return { peerPort, env: { PAWL_NATS_URL: nats.url(own) } };
    },
  });
  const shards = await cluster.settled();
  const pawl = await cluster.connectSdk({ servers: servers.join(','), workload: 'app' });
  const opened = new Map<string, Scope<{ n: number }>>();
  for (const id of cluster.ids) {
    const at = `${cluster.rootsOf(id, shards, 1).join('')}/app`;
    await cluster.atOwner(at, (admin) =>
      admin.putConfig(at, { json: { n: 0 } }, { expect: 'none' }),
    );
    await cluster.atOwner(at, (admin) => admin.release(at, { action: 'promote' }));
    opened.set(at, await pawl.open<{ n: number }>(at));
  }
  scopes = opened;
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(cluster?.logs());
});

afterAll(async () => {
  await observer?.close();
  await cluster?.stop();
  await nats?.stop();
});

interface StreamView {
  readonly config: { readonly num_replicas: number };
  readonly cluster: {
    readonly leader?: NatsServerName;
    readonly replicas?: readonly { readonly current: boolean }[];
  };
}

/** A stream that has a leader, and two others that are as far as it. */
async function whole(stream: string): Promise<NatsServerName> {
  const answer = await observer.request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: 2_000 });
  const { config, cluster: group } = answer.json<StreamView>();
  expect([config.num_replicas, group.replicas?.map(({ current }) => current)]).toEqual([
    3,
    [true, true],
  ]);
  if (group.leader === undefined) throw new Error(`nobody leads ${stream}`);
  return group.leader;
}

/** Any node takes it, whoever owns the shard. */
async function write(through: string, at: string, n: number): Promise<void> {
  await eventually(async () => {
    const admin = cluster.admin(through);
    await admin.putConfig(at, { json: { n } }, { expect: 'any' });
    await admin.release(at, { action: 'promote' });
  }, WITHIN_MS);
}

const arrived = (at: string, n: number): Promise<void> =>
  eventually(() => expect(scopes.get(at)?.current).toEqual({ n }), WITHIN_MS);

async function lonely() {
  const { nodes } = await cluster.view('node-2');
  return nodes.find(({ id }) => id === LONELY);
}

const addressOf = (id: string): string => [...scopes.keys()][cluster.ids.indexOf(id)] ?? '';
const readiness = async (id: string) => (await fetch(`${cluster.node(id).url}/readyz`)).status;
const claims = (shards: readonly OwnedShardView[]) =>
  shards.map(({ shard, owner, token }) => `${shard}: ${owner} ${token}`);

it('a node whose NATS server reaches no other gives its shards up until it does', async () => {
  for (const stream of STREAMS) {
    await eventually(async () => {
      if ((await whole(stream)) !== CUT) return;
      await observer.request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, '', { timeout: 2_000 });
      throw new Error(`${CUT} leads ${stream}`);
    }, WITHIN_MS);
  }
  nats.cutOff();
  const at = addressOf(LONELY);
  await write('node-2', at, 1);
  await arrived(at, 1);
  // An owner serves before the quorum's record says so.
  expect(OTHERS).toContain(await eventually(() => cluster.ownerOf(at, OTHERS)));
  await eventually(async () =>
    expect(await lonely()).toMatchObject({
      state: 'unready',
      shards: 0,
      problem: 'NATS does not answer',
    }),
  );
  expect(await readiness(LONELY)).toBe(503);
  nats.rejoin();
  await eventually(async () => expect(await cluster.ownerOf(at, [LONELY])).toBe(LONELY), WITHIN_MS);
  await write('node-3', at, 2);
  await arrived(at, 2);
});

it('publication goes on, and no shard moves, when a server that leads a stream is killed', async () => {
  const before = claims(await cluster.settled());
  const leaders = await eventually(() => Promise.all(STREAMS.map(whole)), WITHIN_MS);
  const killed = leaders[0] ?? CUT;
  await nats.kill(killed);
  const others = cluster.ids.filter((id) => id.replace('node', 'nats') !== killed);
  const told: number[][] = [];
  const asking = setInterval(
    () => void Promise.all(others.map(readiness)).then((codes) => told.push(codes)),
    ASK_EVERY_MS,
  );
  try {
    for (const [id, at] of cluster.ids.map((node) => [node, addressOf(node)] as const)) {
      await write(id, at, 3);
      await arrived(at, 3);
    }
  } finally {
    clearInterval(asking);
  }
  // Also while a leader was being elected.
  expect(told.length).toBeGreaterThan(0);
  expect(told.filter((codes) => codes.some((code) => code !== 200))).toEqual([]);
  await eventually(async () => {
    expect(await Promise.all(cluster.ids.map(readiness))).toEqual([200, 200, 200]);
  }, WITHIN_MS);
  expect(claims(await cluster.served())).toEqual(before);
  nats.start(killed);
  await eventually(() => Promise.all(STREAMS.map(whole)), WITHIN_MS);
});
