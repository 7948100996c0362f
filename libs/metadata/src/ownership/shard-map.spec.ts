import { describe, expect, it, vi } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { claimKey } from './ownership-keys.js';
import {
  Cluster,
  SHARDS,
  TTL_MS,
  settle,
  takeOver,
  timeText,
} from './ownership-cluster.fixture.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 240_000 });

describe('the shard map', () => {
  it('tells of every node which shards are served, and since when', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    await cluster.pass(TTL_MS);
    const other = await cluster.started('node-2');
    await settle();
    const since = timeText(0);
    for (const { ownership } of [node, other]) {
      for (const claim of ownership.map()) {
        expect(claim).toMatchObject({ owner: 'node-1', serving: true, since });
      }
    }
  });

  it('does not call a shard served that is claimed and still loads', async () => {
    const cluster = await Cluster.open();
    const node = cluster.node();
    let release = (): void => undefined;
    node.host.loading = ({ shard }) =>
      shard === 2 ? new Promise((resolve) => (release = resolve)) : undefined;
    const started = node.ownership.start(node.host);
    await settle();
    await cluster.pass(300);
    expect(node.ownership.map()[2]).toMatchObject({ owner: 'node-1', serving: false, since: null });
    expect(node.ownership.map()[3]).toMatchObject({ serving: true, since: timeText(0) });
    release();
    await started;
    await settle();
    expect(node.ownership.map()[2]).toMatchObject({ serving: true, since: timeText(300) });
  });

  it('tells that a shard is served as soon as the store answers again', async () => {
    const cluster = await Cluster.open();
    const node = cluster.node();
    node.host.loading = () => void (node.store.down = true);
    await node.ownership.start(node.host);
    expect(node.host.serving.size).toBe(SHARDS);
    expect(node.ownership.map().some(({ serving }) => serving)).toBe(false);
    node.store.down = false;
    await cluster.pass(500);
    const since = timeText(0);
    expect(new Set(node.ownership.map().map((claim) => claim.since))).toEqual(new Set([since]));
    expect(node.host.calls).toEqual([]);
  });

  it('is not marked by an owner whose claim went while it loaded', async () => {
    const cluster = await Cluster.open();
    const node = cluster.node();
    node.host.loading = async ({ shard }) => {
      if (shard !== 2 || node.host.calls.length > 0) return;
      node.host.calls.push('loading');
      await takeOver(cluster, 2);
    };
    await node.ownership.start(node.host);
    await settle();
    expect(node.host.calls).toEqual(['loading', 'lost 2']);
    expect(node.host.serving.has(2)).toBe(false);
    expect(node.ownership.map()[2]).toMatchObject({ owner: 'node-9', serving: false });
  });

  it('calls back when it has changed, until it is told to stop', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    await settle();
    const seen: (string | null)[] = [];
    const listening = node.ownership.onChange(() => {
      seen.push(node.ownership.map()[9]?.owner ?? null);
    });
    await cluster.remove(claimKey(9));
    expect([seen[0], seen.at(-1)]).toEqual([null, 'node-1']);
    const before = seen.length;
    listening.stop();
    await cluster.remove(claimKey(9));
    expect(seen).toHaveLength(before);
  });

  it('can be asked of the store itself, which is not behind', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    await settle();
    expect(await node.ownership.lookUp(5)).toEqual(node.ownership.map()[5]);
    const before = node.ownership.map()[5];
    await takeOver(cluster, 5);
    const asked = await node.ownership.lookUp(5);
    expect(asked).toMatchObject({ owner: 'node-9', serving: false, since: null });
    expect((asked.token ?? 0n) > (before?.token ?? 0n)).toBe(true);
    node.store.down = true;
    await expect(node.ownership.lookUp(5)).rejects.toThrow(MetadataUnavailableError);
  });
});
