import { expect, it } from 'vitest';
import { Metrics } from './metrics.js';

it('keeps the metrics of two applications in one process apart', async () => {
  const [first, second] = [new Metrics(), new Metrics()];
  first.counter({ name: 'pawl_things_total', help: 'Things', labels: ['kind'] }).inc({ kind: 'a' });
  second.counter({ name: 'pawl_things_total', help: 'Things', labels: ['kind'] });
  expect(await first.text()).toContain('pawl_things_total{kind="a"} 1');
  expect(await second.text()).not.toContain('kind="a"');
});

it('reads a gauge when it is asked for', async () => {
  const metrics = new Metrics();
  let value = 1;
  metrics.gauge({ name: 'pawl_level', help: 'Level' }, () => value);
  expect(await metrics.text()).toContain('pawl_level 1');
  value = 2;
  expect(await metrics.text()).toContain('pawl_level 2');
});

it('sorts durations in seconds into buckets', async () => {
  const metrics = new Metrics();
  metrics.durations({ name: 'pawl_wait_seconds', help: 'Wait' }).observe(0.004);
  const text = await metrics.text();
  expect(text).toContain('pawl_wait_seconds_bucket{le="0.0025"} 0');
  expect(text).toContain('pawl_wait_seconds_bucket{le="0.005"} 1');
});
