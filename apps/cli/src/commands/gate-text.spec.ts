import type { Gate } from '@pawl/contracts';
import { expect, it } from 'vitest';
import { gateText } from './gate-text.js';

it.each<[Gate, string]>([
  [{ kind: 'rejections', limit: 0, onFailure: 'abort' }, 'rejections > 0 → abort'],
  [{ kind: 'lost', percent: 5, onFailure: 'hold' }, 'lost > 5 % → hold'],
  [
    { kind: 'applied', percent: 95, withinMs: 60_000, onFailure: 'pause' },
    'applied < 95 % within 1m → pause',
  ],
  [
    { kind: 'errors', maxPercent: 2, maxRatio: 1.5, failureLimit: 3, onFailure: 'abort' },
    "errors > 2 % or > 1.5 times the rest's 3 times in a row → abort",
  ],
  [{ kind: 'latency', quantile: 0.99, maxMs: 300 }, 'p99 > 300 ms → pause'],
  [{ kind: 'latency', quantile: 0.58, maxRatio: 2 }, "p58 > 2 times the rest's → pause"],
  [
    { kind: 'prometheus', name: 'queue', query: 'up', min: 1, max: 5, dryRun: true },
    'prometheus queue < 1 or > 5 → nothing (dry run)',
  ],
  [{ kind: 'prometheus', name: 'queue', query: 'up', min: 1 }, 'prometheus queue < 1 → pause'],
  [
    { kind: 'webhook', name: 'load', url: 'http://x', onFailure: 'abort' },
    'webhook load says no → abort',
  ],
  [{ kind: 'approval' }, 'each stage waits for an approval'],
  [{ kind: 'approval', stages: [0, 2] }, 'stage 1, 3 waits for an approval'],
])('says when a gate fails: %j', (gate, text) => {
  expect(gateText(gate)).toBe(text);
});
