import { quantileOf } from '@pawl/contracts';
import type { Gate } from '@pawl/contracts';
import { evenOut, MAX_TIMES_MEDIAN } from '../status/even-out.js';
import type { HealthSide, PacedSum } from '../status/even-out.js';
import type { ComparedHealth } from '../status/health-sums.js';
import type { Finding } from './finding.js';

/** What services report of themselves, by workload, without those that are held. */
export interface StageHealth {
  readonly byWorkload: ReadonlyMap<string, ComparedHealth>;
  /** Everybody is reached: there is nobody to be compared with. */
  readonly isLast: boolean;
}

/** A share of failed requests in per cent, or a latency in milliseconds. */
interface Measure {
  readonly value: number;
  readonly unit: '%' | 'ms';
  /** What is said of the value: `12 % of 400 requests of candidates failed`. */
  readonly text: string;
}

/** One failed request is chance, whatever it is compared with. */
const MIN_ERRORS = 2;

/**
 * Judges by what services report, over all first, then each workload that is not well. A workload with few
 * requests is not judged alone: it counts over all. No instance weighs much more than the others of its
 * side, see `evenOut`.
 */
export function judgeHealth(gate: Gate, { byWorkload, isLast }: StageHealth): readonly Finding[] {
  const all = { candidates: new Map<number, PacedSum>(), rest: new Map<number, PacedSum>() };
  const alone: Finding[] = [];
  for (const [workload, compared] of byWorkload) {
    join(all.candidates, compared.candidates);
    join(all.rest, compared.rest);
    const finding = compare(gate, compared, isLast);
    if (finding.outcome === 'fail') alone.push({ ...finding, workload });
  }
  return [compare(gate, all, isLast), ...alone];
}

function compare(gate: Gate, compared: ComparedHealth, isLast: boolean): Finding {
  const { maxRatio } = gate;
  const [candidates, rest] = [evenOut(compared.candidates), evenOut(compared.rest)];
  const most = gate.kind === 'errors' ? gate.maxPercent : gate.maxMs;
  const own = measure(gate, candidates, 'candidates');
  if (typeof own === 'string') return { outcome: 'inconclusive', why: own };
  const told = { value: rounded(own.value) };
  if (most !== undefined && own.value > most) {
    const why = `${own.text}, at most ${most} ${own.unit} may`;
    return { outcome: 'fail', why, ...told, limit: most };
  }
  const limited = most === undefined ? {} : { limit: most };
  const passed: Finding = { outcome: 'pass', why: own.text, ...told, ...limited };
  if (maxRatio === undefined) return passed;
  if (isLast) return { ...passed, why: `${own.text}; nobody is left to compare with` };
  const other = measure(gate, rest, 'the rest');
  if (typeof other === 'string') return { outcome: 'inconclusive', why: other, ...told };
  const baseline = rounded(other.value);
  const least = gate.kind === 'errors' ? 100 / rest.requests : 0;
  const limit = maxRatio * Math.max(other.value, least);
  const isChance = gate.kind === 'errors' && candidates.errors < MIN_ERRORS;
  const beside = `${own.text}, beside ${baseline} ${own.unit} of the rest`;
  if (own.value <= limit || isChance) return { ...passed, why: beside, baseline };
  const why = `${beside}: more than ${maxRatio} times as much`;
  return { outcome: 'fail', why, ...told, baseline, limit: rounded(limit) };
}

/** What a gate asks for, or why it is not known: a latency is known of requests that tell one. */
function measure(gate: Gate, sum: ReturnType<typeof evenOut>, whose: string): Measure | string {
  const { kind, quantile = 0.99, minRequests = 1 } = gate;
  const { requests, errors, latency, told } = sum;
  if (requests < minRequests) {
    const few = tooFew(`${requests} requests`, whose, minRequests);
    if (told === requests) return few;
    return `${few}: ${told} are told, and no instance counts more than ${MAX_TIMES_MEDIAN} times the median`;
  }
  if (kind === 'errors') {
    const value = (errors * 100) / requests;
    return { value, unit: '%', text: `${rounded(value)} % of ${requests} requests failed` };
  }
  const timed = Math.round(latency.reduce((all, count) => all + count, 0));
  const value = quantileOf(latency, quantile);
  if (value === null) return `no latency of ${whose} is known`;
  if (timed < minRequests) return tooFew(`${timed} latencies`, whose, minRequests);
  const share = rounded(quantile * 100);
  return {
    value,
    unit: 'ms',
    text: `${share} % of ${timed} requests took ${rounded(value)} ms or less`,
  };
}

function tooFew(known: string, whose: string, least: number): string {
  return `${known} of ${whose} are known of, ${least} are needed`;
}

/** To four digits: what is shown. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function join(all: Map<number, PacedSum>, side: HealthSide): void {
  for (const [pace, sum] of side) {
    const before = all.get(pace);
    all.set(pace, before === undefined ? sum : added(before, sum));
  }
}

function added(one: PacedSum, other: PacedSum): PacedSum {
  const buckets = Math.max(one.latency.length, other.latency.length);
  return {
    heartbeats: one.heartbeats + other.heartbeats,
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    latency: Array.from(
      { length: buckets },
      (_, bucket) => (one.latency[bucket] ?? 0) + (other.latency[bucket] ?? 0),
    ),
  };
}
