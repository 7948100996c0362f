import type { Gate } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { resolveGates } from './resolve-gates.js';

const query = 'sum(rate(errors[1m]))';
const url = 'https://checks.example/go';

describe('resolveGates', () => {
  it('adds what is left out of each kind', () => {
    const gates: readonly Gate[] = [
      { kind: 'rejections', onFailure: 'hold' },
      { kind: 'errors', maxRatio: 2 },
      { kind: 'latency', maxMs: 300, onInconclusive: 'abort' },
      { kind: 'prometheus', name: 'a', query, max: 1 },
      {
        kind: 'prometheus',
        name: 'b',
        query,
        baselineQuery: query,
        maxRatio: 1.5,
        intervalMs: 1_000,
      },
      { kind: 'webhook', name: 'a', url, dryRun: true },
      { kind: 'approval', stages: [2] },
    ];
    const minute = { minRequests: 50, windowMs: 60_000, onFailure: 'pause' };
    expect(resolveGates(gates, 3)).toEqual({
      ok: true,
      value: [
        { kind: 'rejections', limit: 0, onFailure: 'hold' },
        { kind: 'errors', maxRatio: 2, ...minute },
        {
          ...{ kind: 'latency', quantile: 0.99, maxMs: 300, ...minute },
          ...{ onInconclusive: 'abort', inconclusiveMs: 300_000 },
        },
        { kind: 'prometheus', name: 'a', query, max: 1, intervalMs: 15_000, onFailure: 'pause' },
        { ...gates[4], onFailure: 'pause' },
        {
          ...{ kind: 'webhook', name: 'a', url, dryRun: true },
          ...{ intervalMs: 15_000, timeoutMs: 5_000, onFailure: 'pause' },
        },
        { kind: 'approval', stages: [2] },
      ],
    });
  });

  it.each<[Gate, string]>([
    [{ kind: 'errors' }, 'the gate errors needs maxPercent or maxRatio'],
    [{ kind: 'latency', quantile: 0.5 }, 'the gate latency needs maxMs or maxRatio'],
    [{ kind: 'prometheus', query, max: 1 }, 'the gate prometheus needs name'],
    [{ kind: 'prometheus', name: 'a', max: 1 }, 'the gate prometheus a needs query'],
    [
      { kind: 'prometheus', name: 'a', query },
      'the gate prometheus a needs min or max or maxRatio',
    ],
    [
      { kind: 'prometheus', name: 'a', query, maxRatio: 2 },
      'the gate prometheus a needs both maxRatio and baselineQuery, or neither',
    ],
    [
      { kind: 'prometheus', name: 'a', query, min: 2, max: 1 },
      'the gate prometheus a has a min above its max',
    ],
    [{ kind: 'webhook', name: 'a' }, 'the gate webhook a needs url'],
    [
      { kind: 'webhook', name: 'a', url, onFailure: 'hold' },
      'the gate webhook a does not judge workloads one by one: it can pause or abort, not hold',
    ],
    [
      { kind: 'webhook', name: 'a', url: 'https://a.example/', onFailure: 'hold' },
      'the gate webhook a does not judge workloads one by one: it can pause or abort, not hold',
    ],
    [
      { kind: 'applied', onInconclusive: 'abort' },
      'the gate applied takes no onInconclusive: leave it out',
    ],
    [{ kind: 'restarts', percent: 3 }, 'the gate restarts takes no percent: leave it out'],
    [{ kind: 'errors', maxMs: 3 }, 'the gate errors takes no maxMs: leave it out'],
    [{ kind: 'latency', maxPercent: 3 }, 'the gate latency takes no maxPercent: leave it out'],
    [{ kind: 'lost', name: 'a' }, 'the gate lost a takes no name: leave it out'],
    [
      { kind: 'approval', onFailure: 'abort' },
      'the gate approval takes no onFailure: leave it out',
    ],
    [{ kind: 'approval', dryRun: true }, 'the gate approval takes no dryRun: leave it out'],
    [
      { kind: 'approval', stages: [1, 3] },
      'the gate approval names stage 3, and the last one is 2',
    ],
    [
      { kind: 'lost', inconclusiveMs: 5_000 },
      'the gate lost waits while nothing is known: leave inconclusiveMs out, or say onInconclusive',
    ],
  ])('refuses %j by name', (gate, detail) => {
    expect(resolveGates([gate], 3)).toMatchObject({
      ok: false,
      problem: { code: 'malformed-request', detail },
    });
  });

  it('refuses two of a kind, but of those that have names', () => {
    const webhook: Gate = { kind: 'webhook', name: 'a', url };
    expect(resolveGates([webhook, { ...webhook, name: 'b' }], 3).ok).toBe(true);
    expect(resolveGates([webhook, webhook], 3)).toMatchObject({
      problem: {
        detail: 'the gate webhook a is given twice: once is enough, others need other names',
      },
    });
    expect(resolveGates([{ kind: 'approval' }, { kind: 'approval' }], 3).ok).toBe(false);
  });
});
