import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExternalGate } from '@pawl/contracts';
import { HttpGateProbes } from './http-gate-probes.js';
import type { HttpGateProbesOptions } from './http-gate-probes.js';
import { LoopbackServer } from './testing/loopback-server.js';
import { RELEASE } from './testing/probed-release.js';

let server: LoopbackServer;
let told: string[];
beforeEach(async () => {
  server = await LoopbackServer.start();
  told = [];
});
afterEach(() => server.close());

const probes = (options: Partial<HttpGateProbesOptions> = {}): HttpGateProbes =>
  new HttpGateProbes({
    ...{ installation: 'main/1', prometheus: null, urls: [], secrets: [] },
    probed: (kind, outcome, durationMs) =>
      told.push(`${kind} ${outcome} ${Number.isFinite(durationMs)}`),
    ...options,
  });
const query = (text = 'up'): ExternalGate => ({
  ...{ kind: 'prometheus', name: 'errors', query: text, max: 1 },
});
const hook = (url = `${server.url}/x`): ExternalGate => ({ kind: 'webhook', name: 'sales', url });
const signal = (): AbortSignal => new AbortController().signal;

describe('what a gate lacks', () => {
  it('is the setting, where nothing is set', () => {
    expect(probes().lacks(query())).toBe('PAWL_PROMETHEUS_URL has to be set on every node');
    expect(probes().lacks(hook('https://a.example/x'))).toBe(
      'its URL may not be called: ' +
        'set PAWL_GATE_URLS to beginnings of URLs that may, on every node',
    );
  });

  it('is a URL that is allowed', () => {
    const some = probes({ urls: ['https://a.example/gates', 'https://b.example'] });
    expect(some.lacks(hook('https://a.example/gates/1'))).toBeUndefined();
    expect(some.lacks(hook('https://a.example/other'))).toBe(
      'its URL is none that PAWL_GATE_URLS allows: ' + 'https://a.example/gates, https://b.example',
    );
    expect(some.lacks(hook('https://u:p@a.example/gates'))).toBe(
      'its URL names a user or a password',
    );
  });

  it('is a placeholder that is known', () => {
    const some = probes({ prometheus: { url: server.url, token: null } });
    expect(some.lacks(query('f{a="{{address}}"}'))).toBeUndefined();
    const baseline = { ...query(), baselineQuery: 'rate(f[{{interval}}])' };
    expect(some.lacks(baseline)).toBe(
      '{{interval}} is no placeholder, those are ' +
        '{{address}}, {{scope}}, {{release}}, {{version}}, {{stage}}',
    );
  });
});

describe('HttpGateProbes', () => {
  it('asks whom the gate names, and tells of it', async () => {
    const both = probes({
      ...{ prometheus: { url: server.url, token: null }, urls: [server.url] },
    });
    expect(await both.probe(hook(), RELEASE, signal())).toMatchObject({ outcome: 'pass' });
    expect(await both.probe(query(), RELEASE, signal())).toMatchObject({ outcome: 'inconclusive' });
    expect(server.heard.map(({ target }) => target)).toEqual(['/x', '/api/v1/query']);
    expect(told).toEqual(['webhook pass true', 'prometheus inconclusive true']);
  });

  it('knows nothing without what it lacks', async () => {
    expect(await probes().probe(query(), RELEASE, signal())).toMatchObject({
      ...{ outcome: 'inconclusive', why: 'PAWL_PROMETHEUS_URL has to be set on every node' },
    });
    expect(await probes().probe(hook(), RELEASE, signal())).toMatchObject({
      outcome: 'inconclusive',
    });
    expect(server.heard).toEqual([]);
  });

  it("takes an engine's own signal", async () => {
    const listeners: (() => void)[] = [];
    const signal = {
      aborted: false,
      addEventListener: (_: 'abort', listener: () => void) => listeners.push(listener),
    };
    server.answer = () => listeners.forEach((listener) => listener());
    const all = probes({ urls: [server.url] });
    const inTime = { outcome: 'inconclusive', why: 'it did not answer in time' };
    expect(await all.probe(hook(), RELEASE, signal)).toEqual(inTime);
    const aborted = { ...signal, aborted: true };
    expect(await all.probe(hook(), RELEASE, aborted)).toMatchObject({ outcome: 'inconclusive' });
    expect(server.heard).toHaveLength(1);
  });
});
