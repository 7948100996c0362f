import { done, refused } from '@pawl/contracts';
import type { Gate, GateKind, Outcome } from '@pawl/contracts';

const MINUTE_MS = 60_000;
/** How close two ends of an instance are that are a crash loop: longer than platforms wait in between. */
const LOOP_MS = 10 * MINUTE_MS;

/** What a release is judged by when its strategy names no gates. */
const DEFAULT_GATES: readonly Gate[] = [
  { kind: 'rejections', limit: 0, onFailure: 'abort' },
  { kind: 'lost', percent: 5, onFailure: 'pause' },
  { kind: 'applied', percent: 95, withinMs: MINUTE_MS, onFailure: 'pause' },
  { kind: 'restarts', limit: 0, withinMs: LOOP_MS, onFailure: 'abort' },
];

/** What is taken for what a gate leaves out. */
const DEFAULTS: Readonly<Record<GateKind, Partial<Gate>>> = {
  rejections: { limit: 0, onFailure: 'abort' },
  lost: { percent: 5, onFailure: 'pause' },
  applied: { percent: 95, withinMs: MINUTE_MS, onFailure: 'pause' },
  restarts: { limit: 0, withinMs: LOOP_MS, onFailure: 'abort' },
  errors: { minRequests: 50, windowMs: MINUTE_MS, onFailure: 'pause' },
  latency: { quantile: 0.99, minRequests: 50, windowMs: MINUTE_MS, onFailure: 'pause' },
  prometheus: { intervalMs: 15_000, onFailure: 'pause' },
  webhook: { intervalMs: 15_000, timeoutMs: 5_000, onFailure: 'pause' },
  approval: {},
};

const JUDGED = ['kind', 'onFailure', 'intervalMs', 'initialDelayMs', 'failureLimit', 'dryRun'];
const DOUBTED = [...JUDGED, 'onInconclusive', 'inconclusiveMs'];

/** The options that each kind takes. */
const TAKES: Readonly<Record<GateKind, readonly string[]>> = {
  rejections: [...DOUBTED, 'limit'],
  lost: [...DOUBTED, 'percent'],
  applied: [...JUDGED, 'percent', 'withinMs'],
  restarts: [...DOUBTED, 'limit', 'withinMs'],
  errors: [...DOUBTED, 'maxPercent', 'maxRatio', 'minRequests', 'windowMs'],
  latency: [...DOUBTED, 'quantile', 'maxMs', 'maxRatio', 'minRequests', 'windowMs'],
  prometheus: [...DOUBTED, 'name', 'query', 'baselineQuery', 'min', 'max', 'maxRatio'],
  webhook: [...DOUBTED, 'name', 'url', 'timeoutMs'],
  approval: ['kind', 'stages'],
};

/** Each needs one of these. */
const NEEDS: Readonly<Partial<Record<GateKind, readonly (readonly (keyof Gate)[])[]>>> = {
  errors: [['maxPercent', 'maxRatio']],
  latency: [['maxMs', 'maxRatio']],
  prometheus: [['name'], ['query'], ['min', 'max', 'maxRatio']],
  webhook: [['name'], ['url']],
};

/** Kinds that judge each workload alone, so that one can be held while the others go on. */
const HOLDS: ReadonlySet<GateKind> = new Set([
  ...(['rejections', 'lost', 'applied', 'restarts', 'errors', 'latency'] as const),
]);

/** How long nothing may be known before it counts, where that is not said. */
const INCONCLUSIVE_MS = 5 * MINUTE_MS;

/**
 * The gates of a strategy with everything that was left out; the default ones where there are none.
 * `malformed-request` for what does not fit together, by name.
 */
export function resolveGates(
  gates: readonly Gate[] | undefined,
  stages: number,
): Outcome<readonly Gate[]> {
  if (gates === undefined) return done(DEFAULT_GATES);
  const names = gates.map(nameOf);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    return malformed(`the gate ${twice} is given twice: once is enough, others need other names`);
  }
  const resolved: Gate[] = [];
  for (const gate of gates) {
    const wrong = troubleOf(gate, stages);
    if (wrong !== undefined) return malformed(wrong);
    const doubt = gate.onInconclusive ?? 'wait';
    const patience = doubt === 'wait' ? {} : { inconclusiveMs: INCONCLUSIVE_MS };
    resolved.push({ ...DEFAULTS[gate.kind], ...patience, ...gate });
  }
  return done(resolved);
}

function nameOf({ kind, name }: Gate): string {
  return name === undefined ? kind : `${kind} ${name}`;
}

/** What is wrong with a gate; `undefined`: nothing. */
function troubleOf(gate: Gate, stages: number): string | undefined {
  const { kind, min, max, onInconclusive = 'wait' } = gate;
  const title = `the gate ${nameOf(gate)}`;
  const extra = Object.keys(gate).find((key) => !TAKES[kind].includes(key));
  if (extra !== undefined) return `${title} takes no ${extra}: leave it out`;
  const lacks = (NEEDS[kind] ?? []).find((any) => any.every((key) => gate[key] === undefined));
  if (lacks !== undefined) return `${title} needs ${lacks.join(' or ')}`;
  if (gate.onFailure === 'hold' && !HOLDS.has(kind)) {
    return `${title} does not judge workloads one by one: it can pause or abort, not hold`;
  }
  if (onInconclusive === 'wait' && gate.inconclusiveMs !== undefined) {
    return `${title} waits while nothing is known: leave inconclusiveMs out, or say onInconclusive`;
  }
  if (min !== undefined && max !== undefined && min > max)
    return `${title} has a min above its max`;
  if (
    kind === 'prometheus' &&
    (gate.maxRatio === undefined) !== (gate.baselineQuery === undefined)
  ) {
    return `${title} needs both maxRatio and baselineQuery, or neither`;
  }
  const beyond = gate.stages?.find((stage) => stage >= stages);
  if (beyond !== undefined)
    return `${title} names stage ${beyond}, and the last one is ${stages - 1}`;
  return undefined;
}

function malformed(detail: string): Outcome<never> {
  return refused('malformed-request', detail);
}
