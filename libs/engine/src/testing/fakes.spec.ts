import type { ExternalGate } from '@pawl/contracts';
import { describe, it } from 'vitest';
import { ManualTime } from '@pawl/kernel';
import type { ProbeAnswer } from '../release/gate-probes.port.js';
import {
  FakeGateProbes,
  FakeSavedStatus,
  FakeStatusStore,
  FakeTruthStore,
  FakeWebhookOutbox,
  gateProbesCases,
  statusStoreCases,
  truthStoreCases,
  webhookOutboxCases,
} from './index.js';

const installation = { name: 'main', id: 'test', generation: 1, shards: 4 };

describe('FakeTruthStore', () => {
  for (const { name, run } of truthStoreCases) {
    it(name, () => run({ truth: new FakeTruthStore(installation), shards: 4 }));
  }
});

describe('FakeStatusStore', () => {
  for (const { name, run } of statusStoreCases) {
    it(name, () => {
      const status = new FakeStatusStore(4);
      const truth = new FakeTruthStore(installation);
      const savedStatus = new FakeSavedStatus({ truth, status, shards: 4 });
      return run({ status, savedStatus, shards: 4, own: () => Promise.resolve() });
    });
  }
});

describe('FakeWebhookOutbox', () => {
  for (const { name, run } of webhookOutboxCases) {
    it(name, () => {
      const time = new ManualTime();
      const outbox = new FakeWebhookOutbox(time);
      return run({
        outbox,
        append: (entry) => Promise.resolve(outbox.append(entry)),
        pass: (ms) => Promise.resolve(time.advance(ms)),
      });
    });
  }
});

describe('FakeGateProbes', () => {
  const gate: ExternalGate = { kind: 'webhook', name: 'sales', url: 'https://a.example' };
  for (const { name, run } of gateProbesCases) {
    it(name, () => {
      const probes = new FakeGateProbes();
      const judge = (answer: ProbeAnswer): void => void (probes.answer = async () => answer);
      judge({ outcome: 'pass', why: 'nobody has said anything yet' });
      return run({ probes, nobody: new FakeGateProbes(), gate, judge });
    });
  }
});
