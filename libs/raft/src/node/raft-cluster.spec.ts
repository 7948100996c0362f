import { afterEach, describe, expect, it, vi } from 'vitest';
import { Cluster } from './cluster.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

const open: Cluster[] = [];
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster.stopAll();
});

async function start(...args: Parameters<typeof Cluster.start>): Promise<Cluster> {
  const cluster = await Cluster.start(...args);
  open.push(cluster);
  return cluster;
}

describe('three nodes', () => {
  it('elect one, and apply the same commands in the same order', async () => {
    const cluster = await start(['a', 'b', 'c']);
    const commands = Array.from({ length: 50 }, (_, at) => `command ${at}`);
    await cluster.write(...commands);
    for (const member of cluster.members.values()) {
      await member.until(() => member.commands.length === 50);
      expect(member.commands).toEqual(commands);
    }
  });
});
