import type { Gate } from '@pawl/contracts';
import { expect, it } from 'vitest';
import type { Finding } from './finding.js';
import { GateMemory, gateResults } from './gate-memory.js';

const GATE: Gate = { kind: 'errors', maxPercent: 1, intervalMs: 10_000, onFailure: 'hold' };
const PASS: Finding = { outcome: 'pass', why: 'well' };
const FAIL: Finding = { outcome: 'fail', why: 'sick' };
const UNKNOWN: Finding = { outcome: 'inconclusive', why: 'nothing' };

function memoryOf(gate: Gate) {
  const memory = new GateMemory([gate]);
  const standing = memory.standings[0]!;
  const judged = (...findings: Finding[]): void =>
    memory.judged(standing, findings, { wall: 'now', monotonicMs: 1_000 });
  const rows = (): unknown => Object.fromEntries(standing.failures);
  return { memory, standing, judged, rows };
}

it('counts failures in a row, over all and of each workload; not knowing breaks none', () => {
  const { standing, judged, rows, memory } = memoryOf(GATE);
  judged(PASS, { ...FAIL, workload: 'cart' });
  judged(FAIL, { ...FAIL, workload: 'cart' }, { ...FAIL, workload: 'api' });
  expect(rows()).toEqual({ '': 1, cart: 2, api: 1 });
  judged(UNKNOWN);
  expect(rows()).toEqual({ '': 1, cart: 2, api: 1 });
  judged(FAIL, { ...FAIL, workload: 'api' });
  expect(rows()).toEqual({ '': 2, api: 2 });
  expect(gateResults([standing])).toMatchObject([
    { kind: 'errors', outcome: 'fail', failures: 2, at: 'now' },
    { kind: 'errors', outcome: 'fail', failures: 2, workload: 'api' },
  ]);
  judged(PASS);
  expect(rows()).toEqual({});
  expect(memory.isDue(standing, 10_999)).toBe(false);
  expect(memory.isDue(standing, 11_000)).toBe(true);
});

it('knows nothing of before once it is reset, and judges at once', () => {
  const { standing, judged, rows, memory } = memoryOf(GATE);
  let ended = 0;
  judged(FAIL);
  standing.asking = () => (ended += 1);
  memory.reset();
  expect([ended, rows(), gateResults([standing])]).toEqual([1, {}, []]);
  expect(memory.isDue(standing, 1_001)).toBe(true);
});

it('counts how long nothing has been known, and delays each stage by what was watched', () => {
  const { standing, judged, memory } = memoryOf({ ...GATE, initialDelayMs: 2_500 });
  memory.watched(2_000);
  expect([memory.delayLeftMs(standing), memory.isDue(standing, 9_000)]).toEqual([500, false]);
  memory.watched(2_000);
  expect([memory.delayLeftMs(standing), memory.isDue(standing, 9_000)]).toEqual([0, true]);
  judged(UNKNOWN);
  memory.watched(1_000);
  memory.watched(2_000);
  expect(standing.inconclusiveMs).toBe(3_000);
  judged(PASS);
  memory.watched(1_000);
  expect(standing.inconclusiveMs).toBe(0);
});

it('knows no more of workloads that are held, and counts on for the others', () => {
  const { standing, judged, rows, memory } = memoryOf(GATE);
  judged(FAIL, { ...FAIL, workload: 'cart' }, { ...FAIL, workload: 'api' });
  memory.without(['cart']);
  expect([rows(), gateResults([standing])]).toEqual([{ api: 1 }, []]);
  expect([memory.isDue(standing, 10_999), memory.isDue(standing, 11_000)]).toEqual([false, true]);
  judged(PASS, { ...FAIL, workload: 'api' });
  expect(rows()).toEqual({ api: 2 });
  const asked = memoryOf({ ...GATE, kind: 'webhook' });
  asked.judged(FAIL);
  asked.memory.without(['cart']);
  expect([asked.rows(), asked.standing.findings]).toEqual([{ '': 1 }, [FAIL]]);
});
