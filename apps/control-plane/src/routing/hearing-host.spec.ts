import type { FencingToken } from '@pawl/engine';
import { expect, it } from 'vitest';
import { hearingHost } from './hearing-host.js';

const FENCE = { shard: 3, token: 9n as FencingToken };

function scene(claimed: () => Promise<void>) {
  const heard = new Set<string>();
  const seen: string[][] = [];
  const look = (): void => void seen.push([...heard]);
  const host = hearingHost(
    {
      claimed: async () => {
        look();
        await claimed();
      },
      lost: async () => look(),
    },
    {
      claim: (shard, token) => void heard.add(`${shard}.${token}`),
      release: (shard, token) => void heard.delete(`${shard}.${token}`),
    },
  );
  return { host, heard, seen };
}

it('hears commands from before the shard is served until before it is put away', async () => {
  const { host, heard, seen } = scene(async () => undefined);
  await host.claimed(FENCE);
  expect([...heard]).toEqual(['3.9']);
  await host.lost(FENCE);
  expect(seen).toEqual([['3.9'], []]);
});

it('hears none for a shard that could not be served', async () => {
  const { host, heard } = scene(() => Promise.reject(new Error('PostgreSQL is away')));
  await expect(host.claimed(FENCE)).rejects.toThrow('PostgreSQL is away');
  expect([...heard]).toEqual([]);
});
