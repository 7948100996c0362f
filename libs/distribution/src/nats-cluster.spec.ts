import { jetstreamManager } from '@nats-io/jetstream';
import type { StreamInfo } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { address, subjectsOf } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { connectDistribution } from './connect-distribution.js';
import type { Distribution } from './connect-distribution.js';
import { jetStreamServes } from './connection/jetstream-majority.js';
import type { StorageLimits } from './publication/stream-config.js';
import { NatsTestCluster } from './testing/nats-test-cluster.js';
import { recordingLogger } from './testing/recording.js';
import { sampleSnapshot } from './testing/sample-snapshot.js';

/** Servers find each other, and elect who leads a stream, within some seconds. */
const WITHIN = { timeout: 60_000, interval: 200 };
const PROD = address('acme/prod');
const TEXT = '{"stored":"apart"}';
const NAMES = ['a', 'b', 'c'];
const { snapshotStream } = subjectsOf('main');

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

let cluster: NatsTestCluster;
let bare: NatsConnection;
let distribution: Distribution;
const logger = recordingLogger();

/** Both streams, one after the other, in the servers' words. */
async function streams(installation = 'main'): Promise<readonly StreamInfo[]> {
  const manager = await jetstreamManager(bare, { checkAPI: false });
  const { snapshotStream: first, contentStream: second } = subjectsOf(installation);
  return [await manager.streams.info(first), await manager.streams.info(second)];
}

const copies = async (installation?: string): Promise<readonly number[]> =>
  (await streams(installation)).map(({ config }) => config.num_replicas);

/** Who leads the snapshots. */
async function leader(): Promise<string> {
  const [snapshots] = await streams();
  const name = snapshots?.cluster?.leader;
  if (name === undefined || name === '') throw new Error('nobody leads the snapshots');
  return name;
}

async function open(installation: string, storage: StorageLimits): Promise<Distribution> {
  const made = await connectDistribution({
    servers: cluster.url,
    installation,
    installationId: 'one',
    storage,
    logger,
  });
  await vi.waitFor(() => made.publisher.prepare(), WITHIN);
  return made;
}

/** Until it is stored: a time-out may have stored it too. */
const publish = (version: number): Promise<void> =>
  vi.waitFor(async () => {
    const { kind } = await distribution.publisher.publish(PROD, sampleSnapshot({ version }));
    expect(['stored', 'same']).toContain(kind);
  }, WITHIN);

/** The version in the stream; nobody leads a stream for a moment after its servers changed. */
const held = (): Promise<number | undefined> =>
  vi.waitFor(async () => (await distribution.publisher.read(PROD))?.version, WITHIN);

beforeAll(async () => {
  cluster = await NatsTestCluster.create(NAMES);
  await cluster.server('a').start();
  await cluster.server('b').start();
  bare = await connect({ servers: cluster.url.split(','), maxReconnectAttempts: -1 });
});
afterAll(async () => {
  await bare?.close();
  await distribution?.close();
  await cluster?.dispose();
});

it('one copy is made while two servers run, and raised to three with the third', async () => {
  distribution = await open('main', {});
  expect(await vi.waitFor(() => copies(), WITHIN)).toEqual([1, 1]);
  expect(distribution.shortOfCopies).toMatch(
    `${snapshotStream} has 1 of 3 copies (no suitable peers`,
  );
  expect(logger.lines.filter((line) => line.includes('of 3 copies'))).toHaveLength(1);
  await publish(1);
  await distribution.publisher.storeContent('acme', sha256(TEXT), TEXT);
  await cluster.server('c').start();
  await expect.poll(() => copies().catch(() => null), WITHIN).toEqual([3, 3]);
  await expect.poll(() => distribution.shortOfCopies, WITHIN).toBeNull();
  expect(await held()).toBe(1);
});

it('streams that were deleted are made anew with three', async () => {
  const manager = await jetstreamManager(bare, { checkAPI: false });
  const restored = new Promise<void>((resolve) => distribution.publisher.onRestored(resolve));
  await manager.streams.delete(snapshotStream);
  await restored;
  expect(await vi.waitFor(() => copies(), WITHIN)).toEqual([3, 3]);
  await publish(1);
});

it('a number that was given counts, and is told when it is one; more copies are left', async () => {
  const single = await open('single', { replicas: 1 });
  expect(await vi.waitFor(() => copies('single'), WITHIN)).toEqual([1, 1]);
  expect(single.shortOfCopies).toContain('only one server of the NATS cluster holds PAWL_SINGLE_');
  await single.close();
  const same = await open('main', { replicas: 1 });
  expect(await vi.waitFor(() => copies(), WITHIN)).toEqual([3, 3]);
  expect(same.shortOfCopies).toBeNull();
  await same.close();
});

it('publication goes on when the server that leads a stream is killed', async () => {
  const killed = await vi.waitFor(leader, WITHIN);
  logger.lines.splice(0);
  await cluster.server(killed).kill();
  await publish(2);
  expect(await held()).toBe(2);
  await vi.waitFor(() => distribution.publisher.storeContent('acme', sha256('{}'), '{}'), WITHIN);
  await expect.poll(() => distribution.problem, WITHIN).toBeNull();
  expect(logger.lines.filter((line) => line.includes('made anew'))).toEqual([]);
  await cluster.server(killed).start();
  await expect
    .poll(
      () =>
        streams().then(
          (all) => all.map(isWhole),
          () => null,
        ),
      WITHIN,
    )
    .toEqual([true, true]);
});

it('a server that is left alone answers its clients, but JetStream does not serve there', async () => {
  const alone = await vi.waitFor(leader, WITHIN);
  const link = await connect({ servers: cluster.server(alone).url });
  const serves = () => jetStreamServes(link, snapshotStream, 1_000);
  await expect.poll(serves, WITHIN).toBe(true);
  expect(await jetStreamServes(link, 'PAWL_NONE_SNAPSHOTS', 1_000)).toBe(true);
  const others = NAMES.filter((name) => name !== alone);
  for (const name of others) await cluster.server(name).kill();
  await expect.poll(serves, WITHIN).toBe(false);
  await link.flush();
  // It goes on to answer as the leader that it was.
  for (let times = 0; times < 3; times += 1) expect(await serves()).toBe(false);
  for (const name of others) await cluster.server(name).start();
  await expect.poll(serves, WITHIN).toBe(true);
  await link.close();
});

/** It has a leader, and the others are as far as that. */
function isWhole({ cluster: group }: StreamInfo): boolean {
  const { leader: leads = '', replicas = [] } = group ?? {};
  return leads !== '' && replicas.length === 2 && replicas.every(({ current }) => current);
}
