import { ManualTime } from '@pawl/kernel';
import type { WebhookOutbox } from '@pawl/engine';
import { createLogger, loadSettings, Metrics } from '@pawl/platform';
import { expect, it, vi } from 'vitest';
import { ControlPlaneMetrics } from '../metrics/control-plane-metrics.js';
import { FakeRooms } from '../testing/fake-rooms.js';
import { LookHints } from './look-hints.js';
import { TimedWork, type TimedWorkParts } from './timed-work.js';

it('looks for webhooks to be sent while there is no job queue, until it is closed', async () => {
  const loaded = loadSettings({
    PAWL_POSTGRES_URL: 'postgres://127.0.0.1:1/pawl',
    PAWL_WEBHOOK_URLS: 'http://127.0.0.1:1/a,http://127.0.0.1:1/b',
    PAWL_WEBHOOK_SECRET: `whsec_${Buffer.alloc(24, 7).toString('base64')}`,
  });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  const rooms = new FakeRooms();
  rooms.failures.set('startSweepJobs', new Error('no Redis'));
  rooms.failures.set('startLookJobs', new Error('no Redis'));
  const time = new ManualTime();
  const take = vi.fn<WebhookOutbox['take']>(() => Promise.resolve(undefined));
  const state = {
    endpoint: 'hooks-1',
    failures: 3,
    failingForMs: 90_000,
    setAside: 2,
    goneForMs: 1,
  };
  const outbox: Partial<WebhookOutbox> = {
    begin: vi.fn<WebhookOutbox['begin']>(() => Promise.resolve()),
    take,
    readStates: ([endpoint = '']) => Promise.resolve([{ ...state, endpoint }]),
  };
  const registry = new Metrics();
  const timed = new TimedWork({
    ...{ settings: loaded.settings, rooms, timer: time, hints: new LookHints() },
    ...{
      logger: createLogger({ level: 'silent' }),
      metrics: new ControlPlaneMetrics(registry),
    },
    installation: { name: 'main', id: 'test', generation: 1, shards: 4 },
    outbox,
  } as unknown as TimedWorkParts);
  await timed.begin();
  timed.start();
  for (let looks = 1; looks <= 3; looks += 1) {
    time.advance(30_000);
    await vi.waitFor(() => expect(take).toHaveBeenCalledTimes(2 * looks));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const text = await registry.text();
  for (const line of ['failing_seconds{E} 90', 'set_aside{E} 2', 'gone{E} 1']) {
    const pattern = line.replace('{E}', String.raw`\{endpoint="127\.0\.0\.1-[0-9a-f]{8}"\}`);
    expect(text).toMatch(new RegExp(`^pawl_webhook_${pattern}$`, 'm'));
  }
  expect(outbox.begin).toHaveBeenCalledTimes(1);
  await timed.close();
  time.advance(300_000);
  expect(take).toHaveBeenCalledTimes(6);
});
