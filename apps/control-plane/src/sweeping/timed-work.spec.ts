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
  const outbox: Partial<WebhookOutbox> = { begin: () => Promise.resolve(), take };
  const timed = new TimedWork({
    ...{ settings: loaded.settings, rooms, timer: time, hints: new LookHints() },
    ...{
      logger: createLogger({ level: 'silent' }),
      metrics: new ControlPlaneMetrics(new Metrics()),
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
  await timed.close();
  time.advance(300_000);
  expect(take).toHaveBeenCalledTimes(6);
});
