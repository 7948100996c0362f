import type { OwnerReply } from '@pawl/contracts';
import { DistributionUnavailableError, NoOwnerError } from '@pawl/engine';
import { describe, expect, it } from 'vitest';
import { sweepAllShards, type SweepFailures } from './sweep-all-shards.js';

const served = { serving: true, since: '2026-01-01T00:00:00.000Z' };

function sweeper(answer: (shard: number) => Promise<OwnerReply>) {
  const asked: string[] = [];
  const failures: SweepFailures[] = [];
  const all = sweepAllShards({
    ownership: {
      map: () => [
        { shard: 0, owner: 'a', token: 5n, ...served },
        { shard: 1, owner: null, token: null, serving: false, since: null },
        { shard: 2, owner: 'b', token: 7n, ...served },
        { shard: 3, owner: 'b', token: 8n, ...served },
      ],
    },
    commands: {
      send: ({ shard, token }, command) => {
        asked.push(`${shard} ${token} ${command.kind === 'sweep' && command.sweep}`);
        return answer(shard);
      },
    },
    onFailures: (failed) => failures.push(failed),
  });
  const stop = new AbortController();
  return { asked, failures, stop, run: () => all.sweep('contents', stop.signal) };
}

const removed = (count: number): Promise<OwnerReply> =>
  Promise.resolve({ format: 1, ok: true, value: count });

describe('sweepAllShards', () => {
  it('asks the owner of each claimed shard under its token and adds up', async () => {
    const { run, asked, failures } = sweeper((shard) => removed(shard + 1));
    expect(await run()).toBe(1 + 3 + 4);
    expect(asked).toEqual(['0 5 contents', '2 7 contents', '3 8 contents']);
    expect(failures).toEqual([]);
  });

  it('goes on past shards that cannot be swept, and tells of them once', async () => {
    const error = new Error('no answer');
    const problem = { code: 'no-owner', detail: 'moved' } as const;
    const { run, failures } = sweeper(async (shard) => {
      if (shard === 0) throw error;
      return shard === 2 ? { format: 1, ok: false, problem } : removed(4);
    });
    expect(await run()).toBe(4);
    expect(failures).toEqual([{ kind: 'contents', shards: [0, 2], error }]);
  });

  it('leaves shards that are on the move to the next turn, and says nothing', async () => {
    const { run, failures } = sweeper(async (shard) => {
      if (shard === 2) throw new NoOwnerError('nobody listens');
      return removed(1);
    });
    expect(await run()).toBe(2);
    expect(failures).toEqual([]);
  });

  it('gives up when NATS is away', async () => {
    const { run, asked } = sweeper(() =>
      Promise.reject(new DistributionUnavailableError('not connected')),
    );
    await expect(run()).rejects.toThrow('not connected');
    expect(asked).toHaveLength(1);
  });

  it('stops between two shards when it is told to', async () => {
    const swept = sweeper(async () => {
      swept.stop.abort(new Error('shutting down'));
      return removed(1);
    });
    await expect(swept.run()).rejects.toThrow('shutting down');
    expect(swept.asked).toHaveLength(1);
  });
});
