import { afterEach, beforeEach, describe, it } from 'vitest';
import { gateProbesCases } from '@pawl/engine/testing';
import type { ProbeAnswer } from '@pawl/engine';
import { HttpGateProbes } from './http-gate-probes.js';
import type { HttpGateProbesOptions } from './http-gate-probes.js';
import { LoopbackServer } from './testing/loopback-server.js';

let server: LoopbackServer;
beforeEach(async () => {
  server = await LoopbackServer.start();
});
afterEach(() => server.close());

const probes = (options: Partial<HttpGateProbesOptions>): HttpGateProbes =>
  new HttpGateProbes({
    ...{ installation: 'main/1', prometheus: null, urls: [], secrets: [] },
    probed: () => undefined,
    ...options,
  });

describe('HttpGateProbes', () => {
  for (const { name, run } of gateProbesCases) {
    it(name, () =>
      run({
        probes: probes({ urls: [server.url] }),
        nobody: probes({}),
        gate: { kind: 'webhook', name: 'sales', url: `${server.url}/sales` },
        judge: (answer: ProbeAnswer) => server.says(200, answer),
      }),
    );
  }
});
