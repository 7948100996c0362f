import type { Gate } from '@pawl/contracts';
import { expect, it } from 'vitest';
import { gateText, heldLines, judgedLines } from './gate-text.js';

it.each<[Gate, string]>([
  [{ kind: 'rejections', limit: 0, onFailure: 'abort' }, 'rejections > 0 → abort'],
  [{ kind: 'lost', percent: 5, onFailure: 'hold' }, 'lost > 5 % → hold'],
  [
    { kind: 'applied', percent: 95, withinMs: 60_000, onFailure: 'pause' },
    'applied < 95 % within 1m → pause',
  ],
  [
    { kind: 'restarts', limit: 0, withinMs: 600_000, onFailure: 'abort' },
    'crash loops > 0 (two ends within 10m) → abort',
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

it('says how gates judged last, and who is held', () => {
  const at = '2026-01-01T00:00:00.000Z';
  const why = '12 % of 400 requests failed';
  expect(
    judgedLines([
      { kind: 'errors', outcome: 'pass', why, at, failures: 0 },
      { kind: 'errors', outcome: 'fail', why, at, failures: 2, workload: 'cart', dryRun: true },
      { kind: 'webhook', name: 'load', outcome: 'inconclusive', why: 'no answer', at, failures: 0 },
    ]),
  ).toEqual([
    '  errors: pass, 12 % of 400 requests failed',
    '  errors of cart: fail, 12 % of 400 requests failed (2 times in a row, dry run)',
    '  webhook load: inconclusive, no answer',
  ]);
  expect(heldLines({ cart: why })).toEqual(['held: cart, 12 % of 400 requests failed']);
  expect([judgedLines(), heldLines()]).toEqual([[], []]);
});

it('names a gate of a newer node', () => {
  expect(gateText({ kind: 'moods', onFailure: 'abort' } as never)).toBe('moods → abort');
});
