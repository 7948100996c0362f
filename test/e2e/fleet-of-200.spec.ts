import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HistoryItem, ReleaseView, Strategy } from '@pawl/contracts';
import type { Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { startStack, type TestStack } from '../support/stack.js';
import type { ConsumerProcess } from '../support/stack-consumer.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

interface Config {
  readonly n: number;
  /** Instances of checkout with these numbers reject it. */
  readonly refusedBy?: readonly number[];
  /** Requests out of which one fails. */
  readonly failsOneIn: number;
  /** Instances of worker end when they run it. */
  readonly deadly?: true;
}

const ADDRESS = 'shop/prod';
/** Instances in this process, each with a connection of its own. */
const CHECKOUTS = 180;
/** Instances in processes of their own, started anew when they end, as a supervisor does. */
const WORKERS = 20;
const ALL = CHECKOUTS + WORKERS;
const AT_ONCE = 20;
const REPORT_MS = 200;
/** Requests that each instance has served between two reports. */
const REQUESTS = 50;
const GOOD: Config = { n: 1, failsOneIn: REQUESTS };
const WAIT_MS = 90_000;

interface Checkout {
  readonly scope: Scope<Config>;
  /** Every `n` that it ran. */
  readonly ran: Set<number>;
}

let stack: TestStack;
let folder: TemporaryFolder;
let traffic: NodeJS.Timeout | undefined;
const checkouts: Checkout[] = [];
const workers: { process: ConsumerProcess; ends: number }[] = [];
let isClosing = false;

async function startCheckout(at: number): Promise<Checkout> {
  const pawl = await stack.connectSdk({ workload: 'checkout', consumerId: `checkout-${at}` });
  const scope = await pawl.open<Config>(ADDRESS, {
    validate: ({ refusedBy }) => {
      if (refusedBy?.includes(at) === true) throw new Error(`checkout-${at} does not take it`);
    },
  });
  const ran = new Set([scope.current.n]);
  scope.on('applied', () => ran.add(scope.current.n));
  return { scope, ran };
}

function superviseWorker(at: number): void {
  const start = (): ConsumerProcess =>
    stack.spawnConsumer({
      ...{ address: ADDRESS, workload: 'worker', consumerId: `worker-${at}`, exitKey: 'deadly' },
      cacheDir: join(folder.path, 'cache'),
    });
  const worker = { process: start(), ends: 0 };
  workers.push(worker);
  const watch = async (): Promise<void> => {
    await worker.process.ended();
    if (isClosing) return;
    worker.ends += 1;
    worker.process = start();
    void watch();
  };
  void watch();
}

/** What the services say of their requests. */
function serve(): void {
  for (const { scope } of checkouts) {
    const errors = Math.round(REQUESTS / scope.current.failsOneIn);
    scope.health.report({ requests: REQUESTS, errors });
  }
}

beforeAll(async () => {
  folder = await makeTemporaryFolder('fleet');
  stack = await startStack();
  await stack.promote(ADDRESS, GOOD);
  for (let at = 0; at < WORKERS; at += 1) superviseWorker(at);
  for (let at = 0; at < CHECKOUTS; at += AT_ONCE) {
    const some = Array.from({ length: AT_ONCE }, (_, one) => startCheckout(at + one));
    checkouts.push(...(await Promise.all(some)));
  }
  traffic = setInterval(serve, REPORT_MS);
  await settled();
});
afterAll(async () => {
  isClosing = true;
  clearInterval(traffic);
  await stack?.stop();
  await folder.remove();
});

const settled = (): Promise<unknown> =>
  eventually(async () => {
    const rollout = await stack.admin().rollout(ADDRESS);
    expect(rollout).toMatchObject({ converged: true, consumers: { live: ALL, applied: ALL } });
  }, WAIT_MS);

async function promote(change: Partial<Config>, strategy: Strategy): Promise<number> {
  const admin = stack.admin('ada');
  const { version } = await admin.getConfig(ADDRESS);
  const next = version + 1;
  const json = { ...GOOD, ...change, n: next };
  await admin.putConfig(ADDRESS, { json }, { expect: version });
  await admin.release(ADDRESS, { action: 'promote', strategy });
  return next;
}

const ended = (): Promise<ReleaseView> =>
  eventually(async () => {
    const release = await stack.admin().getRelease(ADDRESS);
    expect(release).toMatchObject({ state: 'idle' });
    return release;
  }, WAIT_MS);

async function stoppedBy(): Promise<HistoryItem> {
  const { stableVersion } = await ended();
  const { items } = await stack.admin().history(ADDRESS, { limit: 1 });
  expect(items[0]).toMatchObject({ author: 'pawl', action: 'abort' });
  expect(stableVersion).toBe(1);
  return items[0] as HistoryItem;
}

const whoRan = (n: number): number => checkouts.filter(({ ran }) => ran.has(n)).length;

describe(`a fleet of ${ALL}, in which a release`, () => {
  it('that one instance in a hundred rejects reaches nobody', async () => {
    const refusedBy = [17, 117];
    const n = await promote({ refusedBy }, { preset: 'canary', bakeMs: 1_000 });
    const { reason } = await stoppedBy();
    expect(reason).toMatch(/checkout-1?17 does not take it/);
    expect(whoRan(n)).toBe(0);
    await settled();
  });

  it('that ends processes is stopped, and no instance is lost', async () => {
    await promote({ deadly: true }, { preset: 'canary', bakeMs: 3_600_000 });
    const { reason } = await stoppedBy();
    expect(reason).toContain('crash-loop');
    await settled();
    const hit = workers.filter(({ ends }) => ends > 0);
    expect(hit.map(({ ends }) => ends)).toEqual([2]);
  });

  it('that doubles the errors is taken back', async () => {
    const n = await promote(
      { failsOneIn: REQUESTS / 2 },
      {
        stages: [{ percent: 10, bakeMs: 3_600_000 }, { percent: 100 }],
        gates: [{ kind: 'errors', maxRatio: 1.5, minRequests: 1_000, onFailure: 'abort' }],
      },
    );
    const { reason } = await stoppedBy();
    expect(reason).toMatch(/^4 % of \d+ requests failed, beside 2 % of the rest/);
    expect(whoRan(n)).toBe(CHECKOUTS / 10);
    await settled();
    expect(checkouts.every(({ scope }) => scope.current.n === 1)).toBe(true);
  });

  it('that is good reaches everybody', async () => {
    const n = await promote(
      {},
      {
        stages: [{ count: 1 }, { percent: 10, bakeMs: 2_000 }, { percent: 100, bakeMs: 1_000 }],
        gates: [
          { kind: 'rejections' },
          { kind: 'lost' },
          { kind: 'errors', maxRatio: 1.5, minRequests: 1_000, onFailure: 'abort' },
        ],
      },
    );
    expect(await ended()).toMatchObject({ stableVersion: n });
    await settled();
    expect(whoRan(n)).toBe(CHECKOUTS);
  });
});
