import { afterEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;
afterEach(() => test.close());

describe('/readyz', () => {
  it('names what is missing, and is ready once it is there', async () => {
    let nats: string | null = 'not connected';
    test = await startTestApp([
      { name: 'postgres', check: async () => null },
      { name: 'nats', check: async () => nats },
    ]);
    const before = await test.app.inject('/readyz');
    expect(before.statusCode).toBe(503);
    expect(before.headers['retry-after']).toBe('1');
    expect(before.json()).toEqual({
      status: 'not-ready',
      checks: { postgres: 'ok', nats: 'not connected' },
    });
    nats = null;
    const after = await test.app.inject('/readyz');
    expect(after.statusCode).toBe(200);
    expect(after.json()).toEqual({ status: 'ready', checks: { postgres: 'ok', nats: 'ok' } });
  });
});

describe('/healthz', () => {
  it('lives, and says which installation it serves, whatever is missing', async () => {
    test = await startTestApp([{ name: 'postgres', check: async () => 'down' }]);
    test.engine.cluster = () => Promise.reject(new Error('the metadata store is away'));
    const answer = await test.app.inject('/healthz');
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { status: 'alive', installation: 'main/test' },
    ]);
  });
});

describe('/metrics', () => {
  it('shows requests by route template, the engine, and what it observes', async () => {
    test = await startTestApp();
    await test.app.inject('/v1/config/acme/one');
    await test.app.inject('/v1/config/acme/two');
    await test.app.inject('/nowhere/else');
    test.metrics.applied('acme/shop', 12);
    test.metrics.applied('acme/shop', -3);
    test.metrics.rejected();
    test.metrics.written('put-config', 'ok', 2);
    test.metrics.committed(1);
    test.metrics.committed(3);
    test.metrics.published();
    test.metrics.incident('same-version');
    test.metrics.dropped('ack', 'malformed');
    test.metrics.swept('contents', 3);
    test.metrics.gateAsked('webhook', 'pass', 3);
    const answer = await test.app.inject('/metrics');
    expect(answer.headers['content-type']).toContain('text/plain');
    const lines = answer.body.split('\n');
    for (const line of [
      'pawl_http_request_duration_seconds_count{method="GET",route="/v1/config/{address}",status="404"} 2',
      'pawl_http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 1',
      'pawl_publish_to_apply_seconds_bucket{le="0.01"} 1',
      'pawl_publish_to_apply_seconds_bucket{le="0.025"} 2',
      'pawl_applied_versions_total 2',
      'pawl_rejections_total 1',
      'pawl_write_duration_seconds_count{command="put-config",outcome="ok"} 1',
      'pawl_commits_total 2',
      'pawl_committed_changesets_total 4',
      'pawl_published_snapshots_total 1',
      'pawl_incidents_total{kind="same-version"} 1',
      'pawl_dropped_messages_total{kind="ack",reason="malformed"} 1',
      'pawl_swept_total{kind="contents"} 3',
      'pawl_gate_probe_seconds_count{kind="webhook",outcome="pass"} 1',
      'pawl_shards_owned 4',
      'pawl_shards_served 3',
      'pawl_pending_publications 2',
      'pawl_live_consumers 20',
      'pawl_event_streams 0',
    ]) {
      expect(lines).toContain(line);
    }
  });
});
