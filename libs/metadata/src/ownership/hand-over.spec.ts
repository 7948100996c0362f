import type { Fence, ShardHost, ShardOwnership } from '@pawl/engine';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TcpQuorum } from '../quorum/tcp-quorum.fixture.js';
import { systemTime } from '../testing/system-time.js';
import { createShardOwnership } from './shard-ownership.js';

/* Real folders, sockets and clocks, on a machine that may be busy. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const SHARDS = 64;
const IDS = ['a', 'b', 'c'];
const DEADLINE = { timeout: 60_000, interval: 20 };

let quorum: TcpQuorum;
let ownerships: ShardOwnership[];
/** How long each shard that moved had no owner who served it, milliseconds. */
let gaps: number[];

beforeEach(async () => {
  quorum = await TcpQuorum.found(IDS);
  gaps = [];
  const leftAt = new Map<number, number>();
  const host: ShardHost = {
    claimed: async ({ shard }: Fence) => {
      const atMs = leftAt.get(shard);
      if (atMs !== undefined) gaps.push(systemTime.monotonicMs() - atMs);
    },
    lost: async ({ shard }: Fence) => void leftAt.set(shard, systemTime.monotonicMs()),
  };
  ownerships = IDS.map((nodeId) =>
    createShardOwnership({
      store: quorum.node(nodeId),
      nodeId,
      incarnation: `incarnation of ${nodeId}`,
      folder: nodeId,
      shards: SHARDS,
      leaseTtlMs: 5000,
      settleMs: 500,
      clock: systemTime,
      timer: systemTime,
    }),
  );
  await Promise.all(ownerships.map((ownership) => ownership.start(host)));
});

afterEach(async () => {
  await Promise.all(ownerships.map((ownership) => ownership.stop()));
  await quorum.end();
});

/** Shards that `nodeId` serves, as `by` sees it. */
function owned(by: ShardOwnership, nodeId: string): number {
  return by.map().filter(({ owner, serving }) => owner === nodeId && serving).length;
}

it('gives each shard of a draining node to another before the drain is over', async () => {
  const [first, second, third] = ownerships as [ShardOwnership, ShardOwnership, ShardOwnership];
  const counts = (): number[] => IDS.map((id) => owned(first, id));
  await expect.poll(() => Math.min(...counts()), DEADLINE).toBeGreaterThan(8);
  await expect.poll(() => counts().reduce((a, b) => a + b), DEADLINE).toBe(SHARDS);
  const before = second.map().filter(({ owner }) => owner === 'b');
  gaps = [];
  const startedMs = systemTime.monotonicMs();
  await second.drain();
  const tookMs = systemTime.monotonicMs() - startedMs;
  const now = second.map();
  for (const { shard, token } of before) {
    expect(now[shard]).toMatchObject({ serving: true });
    expect(now[shard]?.owner).not.toBe('b');
    expect(now[shard]?.token).toBeGreaterThan(token ?? 0n);
  }
  await expect.poll(() => owned(third, 'b'), DEADLINE).toBe(0);
  const sorted = [...gaps].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? NaN;
  const [p50, p99] = [at(0.5), at(0.99)].map((ms) => ms.toFixed(1));
  process.stdout.write(
    `${sorted.length} shards handed over in ${tookMs.toFixed(0)} ms; without an owner: p50 ${p50} ms, p99 ${p99} ms\n`,
  );
  expect(before.length).toBeGreaterThan(8);
});

it('leaves the members of the quorum together, as the leader alone knows', async () => {
  const leader = IDS.find((id) => quorum.node(id).replication() !== null) ?? 'none';
  expect(IDS.filter((id) => quorum.node(id).replication() !== null)).toEqual([leader]);
  const behind = (): unknown => quorum.node(leader).replication();
  const together = IDS.filter((id) => id !== leader).map((id) => ({ id, behind: 0 }));
  await expect.poll(behind, DEADLINE).toEqual(together);
  const [late] = together;
  await quorum.stop(late?.id ?? '');
  const deadline = systemTime.monotonicMs() + 30_000;
  const lag = (): number =>
    quorum
      .node(leader)
      .replication()
      ?.find(({ id }) => id === late?.id)?.behind ?? 0;
  while (lag() === 0) {
    expect(systemTime.monotonicMs()).toBeLessThan(deadline);
    await quorum.node(leader).grantLease(60_000);
  }
  expect(lag()).toBeGreaterThan(0);
});
