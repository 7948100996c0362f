import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReleaseRequest } from '@pawl/contracts';
import type { RejectedEvent } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { startStack, type TestStack } from '../support/stack.js';

let stack: TestStack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.stop());

describe('a consumer that slept through a rollout', () => {
  const release = (action: string, targetVersion?: number): ReleaseRequest => ({
    action,
    ...(targetVersion === undefined ? {} : { targetVersion }),
  });
  const SEQUENCES: readonly [string, readonly ReleaseRequest[], unknown][] = [
    [
      'promote, rollback, promote, disable, enable',
      [
        release('promote', 3),
        release('rollback', 1),
        release('promote', 2),
        release('disable'),
        release('enable'),
      ],
      { n: 2 },
    ],
    [
      'promote, rollback, disable, enable',
      [release('promote', 3), release('rollback', 1), release('disable'), release('enable')],
      { n: 1 },
    ],
    [
      'rollback, promote, disable',
      [release('rollback', 1), release('promote', 3), release('disable')],
      undefined,
    ],
  ];
  let cacheDir: string;
  let count = 0;
  beforeAll(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'pawl-asleep-'));
  });
  afterAll(() => rm(cacheDir, { recursive: true, force: true }));

  async function prepare(): Promise<string> {
    const address = `asleep/app-${(count += 1)}`;
    const admin = stack.admin();
    await admin.putConfig(address, { json: { n: 1 } });
    await admin.putConfig(address, { json: { n: 2 } }, { expect: 1 });
    await admin.release(address, release('promote'));
    await admin.putConfig(address, { json: { n: 3 } }, { expect: 2 });
    return address;
  }

  async function changeMeanwhile(address: string, steps: readonly ReleaseRequest[]): Promise<void> {
    for (const step of steps) await stack.admin().release(address, step);
  }

  it.each(SEQUENCES)('closed, %s: converges from its file', async (_name, steps, expected) => {
    const address = await prepare();
    const options = { consumerId: 'closed', cacheDir };
    const before = await stack.connectSdk(options);
    const evening = await before.open(address);
    await eventually(() => expect(evening.current).toEqual({ n: 2 }));
    await before.close();

    await changeMeanwhile(address, steps);

    const after = await stack.connectSdk(options);
    const scope = await after.open(address);
    const rejected: RejectedEvent[] = [];
    scope.on('rejected', (event) => rejected.push(event));
    await eventually(() => expect(scope.current).toEqual(expected));
    await stack.converged(address, 1);
    expect(rejected).toEqual([]);
    expect(scope.version).toBe((await stack.admin().effective(address)).snapshotVersion);
    await after.close();
  });

  it.each(SEQUENCES)(
    'stopped (SIGSTOP), %s: converges when it goes on',
    async (_name, steps, expected) => {
      const address = await prepare();
      const consumer = stack.spawnConsumer({ address, consumerId: 'stopped' });
      await stack.converged(address, 1);
      consumer.pause();

      await changeMeanwhile(address, steps);
      const { snapshotVersion } = await stack.admin().effective(address);
      await eventually(async () => {
        expect((await stack.admin().rollout(address)).published?.version).toBe(snapshotVersion);
      });
      consumer.resume();

      const arrived = await consumer.saw(
        ({ event, version }) => event === 'applied' && version === snapshotVersion,
      );
      expect(arrived.document).toEqual(expected);
      await stack.converged(address, 1);
      expect(consumer.events.filter(({ event }) => event === 'rejected')).toEqual([]);
      expect(await consumer.close()).toBe(0);
    },
  );
});

describe('two processes under one consumerId', () => {
  it('are shown as duplicates, and one that rejects is not hidden by the other', async () => {
    const address = 'twins/app';
    await stack.promote(address, { n: 1 });
    const options = { address, consumerId: 'twin', workload: 'twins' };
    const easy = stack.spawnConsumer(options);
    const picky = stack.spawnConsumer({ ...options, refuseKey: 'poison' });
    await stack.converged(address, 2);
    const both = await stack.admin().consumers(address);
    expect(both.items).toMatchObject([
      { consumerId: 'twin', duplicate: true, state: 'applied' },
      { consumerId: 'twin', duplicate: true, state: 'applied' },
    ]);
    expect(new Set(both.items.map(({ incarnation }) => incarnation)).size).toBe(2);

    await stack.promote(address, { poison: true });
    await picky.saw(({ event }) => event === 'rejected');
    await eventually(async () => {
      const rollout = await stack.admin().rollout(address);
      expect(rollout).toMatchObject({
        converged: false,
        consumers: { live: 2, applied: 1, lagging: 0, rejected: 1 },
        rejections: [{ reason: '"poison" is not for me', count: 1 }],
      });
    });
    const rejecting = await stack.admin().consumers(address, { state: 'rejected' });
    expect(rejecting.items).toMatchObject([{ duplicate: true, reason: '"poison" is not for me' }]);

    expect(await picky.close()).toBe(0);
    await stack.converged(address, 1);
    const alone = await stack.admin().consumers(address, { state: 'applied' });
    expect(alone.items).toHaveLength(1);
    expect(alone.items[0]?.duplicate).toBeUndefined();
    expect(await easy.close()).toBe(0);
  });
});
