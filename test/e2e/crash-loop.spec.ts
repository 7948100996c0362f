import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startStack, type TestStack } from '../support/stack.js';
import type { ConsumerEvent, ConsumerProcess } from '../support/stack-consumer.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

let stack: TestStack;
let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await makeTemporaryFolder('crash-loop');
  stack = await startStack();
});
afterAll(async () => {
  await stack?.stop();
  await folder.remove();
});

const REASON =
  /^crash-loop: the process ended uncleanly twice within 60 s of applying version \d+$/;

interface Wishes {
  readonly consumerId?: string;
  readonly hasNoHandler?: boolean;
}

/** A process of a service that does not survive what has the key `deadly`. */
const serve = (address: string, wishes: Wishes = {}): ConsumerProcess =>
  stack.spawnConsumer({
    ...{ address, exitKey: 'deadly', consumerId: address.replace('/', '-'), ...wishes },
    cacheDir: join(folder.path, 'cache'),
  });

const opened = ({ event }: ConsumerEvent): boolean => event === 'opened';
const applied =
  (n: number) =>
  ({ event, document }: ConsumerEvent): boolean =>
    event === 'applied' && document?.['n'] === n;

describe('a service that a value makes exit', () => {
  const address = 'deadly/app';

  it('runs the version before after two ends, and the one that mends it', async () => {
    await stack.promote(address, { n: 1 });
    const first = serve(address);
    await first.saw(opened);
    await stack.promote(address, { n: 2, deadly: true });
    expect(await first.ended()).toBe(1);
    const second = serve(address);
    expect(await second.ended()).toBe(1);
    expect(second.events).toMatchObject([{ event: 'opened', document: { n: 2 } }]);

    const third = serve(address);
    expect((await third.saw(opened)).document).toEqual({ n: 1 });
    const { version, reason } = await third.saw(({ event }) => event === 'rejected');
    expect(reason).toMatch(REASON);
    await eventually(async () => {
      const rollout = await stack.admin().rollout(address);
      expect(rollout.published?.version).toBe(version);
      expect(rollout.consumers).toMatchObject({ live: 1, rejected: 1 });
      expect(rollout.rejections).toEqual([{ reason, count: 1 }]);
    });

    expect(await third.close()).toBe(0);
    const fourth = serve(address);
    expect((await fourth.saw(opened)).document).toEqual({ n: 1 });
    await stack.promote(address, { n: 3 });
    await fourth.saw(applied(3));
    await stack.converged(address, 1);
    expect(await fourth.close()).toBe(0);
    const fifth = serve(address);
    expect((await fifth.saw(opened)).document).toEqual({ n: 3 });
    expect(await fifth.close()).toBe(0);
  });

  it('and one that is killed (kill -9) as often right after it applied', async () => {
    const killed = 'killed/app';
    await stack.promote(killed, { n: 1 });
    const first = serve(killed);
    await first.saw(opened);
    await stack.promote(killed, { n: 2 });
    await first.saw(applied(2));
    await first.kill();
    const second = serve(killed);
    expect((await second.saw(opened)).document).toEqual({ n: 2 });
    await second.kill();
    const third = serve(killed);
    expect((await third.saw(opened)).document).toEqual({ n: 1 });
    expect((await third.saw(({ event }) => event === 'rejected')).reason).toMatch(REASON);
    expect(await third.close()).toBe(0);
  });

  it('stops the release in stages whose candidate it is', async () => {
    const staged = 'staged/app';
    await stack.promote(staged, { n: 1 });
    const ids = ['a', 'b', 'c'];
    const fleet = new Map(ids.map((consumerId) => [consumerId, serve(staged, { consumerId })]));
    await stack.converged(staged, ids.length);
    const admin = stack.admin();
    await admin.putConfig(staged, { json: { n: 2, deadly: true } }, { expect: 1 });
    const strategy = { preset: 'canary', bakeMs: 3_600_000 } as const;
    await admin.release(staged, { action: 'promote', strategy });

    const ended = [...fleet].map(async ([id, process]) => ({ id, code: await process.ended() }));
    const { id, code } = await Promise.race(ended);
    expect(code).toBe(1);
    expect(await serve(staged, { consumerId: id }).ended()).toBe(1);
    fleet.set(id, serve(staged, { consumerId: id }));
    await eventually(async () => {
      expect(await admin.getRelease(staged)).toMatchObject({ state: 'idle', stableVersion: 1 });
    });
    const [newest] = (await admin.history(staged, { limit: 1 })).items;
    expect(newest).toMatchObject({ author: 'pawl', action: 'abort' });
    expect(newest?.reason).toContain('crash-loop');
    await stack.converged(staged, ids.length);
    for (const process of fleet.values()) expect(await process.close()).toBe(0);
  });
});

describe('a fleet that is restarted after a good release, again and again', () => {
  it('runs it, be SIGTERM listened to or not', async () => {
    const address = 'restarted/app';
    const ids = ['r1', 'r2', 'r3', 'r4'];
    const startAll = (): ConsumerProcess[] =>
      ids.map((consumerId, at) => serve(address, { consumerId, hasNoHandler: at % 2 === 1 }));
    await stack.promote(address, { n: 1 });
    let fleet = startAll();
    await stack.converged(address, ids.length);
    await stack.promote(address, { n: 2 });
    for (const process of fleet) await process.saw(applied(2));
    for (let times = 0; times < 3; times += 1) {
      const codes = await Promise.all(fleet.map((process) => process.close()));
      expect(codes).toEqual([0, null, 0, null]);
      fleet = startAll();
      for (const process of fleet) expect((await process.saw(opened)).document).toEqual({ n: 2 });
    }
    await stack.converged(address, ids.length);
    for (const { events } of fleet) expect(events).toMatchObject([{ event: 'opened' }]);
    await Promise.all(fleet.map((process) => process.close()));
  });
});

describe('a fleet that is restarted in the middle of a good release in stages', () => {
  it('runs on, be SIGTERM listened to or not, and the release goes to its end', async () => {
    const address = 'halfway/app';
    const ids = ['r1', 'r2', 'r3', 'r4'];
    const startAll = (): ConsumerProcess[] =>
      ids.map((consumerId, at) => serve(address, { consumerId, hasNoHandler: at % 2 === 1 }));
    await stack.promote(address, { n: 1 });
    let fleet = startAll();
    await stack.converged(address, ids.length);
    const admin = stack.admin();
    await admin.putConfig(address, { json: { n: 2 } }, { expect: 1 });
    const stages = [{ count: 2, bakeMs: 3_600_000 }, { percent: 100 }];
    await admin.release(address, { action: 'promote', strategy: { stages } });
    await eventually(() => {
      expect(numbersOf(fleet).toSorted()).toEqual([1, 1, 2, 2]);
    });
    const reached = numbersOf(fleet);
    const codes = await Promise.all(fleet.map((process) => process.close()));
    expect(codes).toEqual([0, null, 0, null]);
    fleet = startAll();
    for (const process of fleet) await process.saw(opened);
    expect(numbersOf(fleet)).toEqual(reached);
    await stack.converged(address, ids.length);
    for (const { events } of fleet) expect(events).toMatchObject([{ event: 'opened' }]);
    expect(await admin.getRelease(address)).toMatchObject({ state: 'rolling', candidate: 2 });

    await admin.release(address, { action: 'advance' });
    await eventually(async () => {
      expect(await admin.getRelease(address)).toMatchObject({ state: 'idle', stableVersion: 2 });
    });
    expect(numbersOf(fleet)).toEqual([2, 2, 2, 2]);
    await Promise.all(fleet.map((process) => process.close()));
  });
});

/** `n` of what each of them runs, by its own word. */
function numbersOf(fleet: readonly ConsumerProcess[]): unknown[] {
  return fleet.map(({ events }) => events.findLast(({ document }) => document)?.document?.['n']);
}
