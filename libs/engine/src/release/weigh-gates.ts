import { LIMITS } from '@pawl/contracts';
import type { Gate } from '@pawl/contracts';
import { NOBODY, outcomeOf } from './finding.js';
import type { Finding } from './finding.js';
import type { Evidence } from './gather-evidence.js';
import type { GateMemory, GateStanding } from './gate-memory.js';
import type { Forgiven } from './judge-gates.js';

export type Verdict =
  /** `but`: the stage does not end all the same, while its bake goes on. */
  | { readonly kind: 'pass'; readonly why: string; readonly but?: string }
  /**
   * Not enough is known: the stage goes on. `grows`: since somebody is still to be reached; `asks`: since
   * somebody has not accepted it.
   */
  | { readonly kind: 'wait'; readonly why: string; readonly grows?: true; readonly asks?: true }
  | Failure;

export type Failure =
  | { readonly kind: 'fail'; readonly then: 'pause' | 'abort'; readonly why: string }
  | {
      readonly kind: 'fail';
      readonly then: 'hold';
      readonly why: string;
      readonly workloads: Readonly<Record<string, string>>;
    };

/** Which workloads a release can go on with. */
export interface Workloads {
  /** Those that are held. */
  readonly held: readonly string[];
  /** Those that it has reached, or is to reach. */
  readonly others: ReadonlySet<string>;
}

/** What else keeps a stage from its end. */
export interface StagePlace extends Pick<Workloads, 'held'> {
  readonly isLast: boolean;
  /** It waits for a person's go-ahead. */
  readonly needsApproval: boolean;
}

type Weighed = Pick<
  Evidence,
  'all' | 'byWorkload' | 'rest' | 'isNewestReached' | 'takesAnybody'
> & {
  readonly forgiven: Forgiven;
};

const STRENGTH = { abort: 2, pause: 1, hold: 0 } as const;

/**
 * What follows from how the gates stand: of those that fail the strongest decides. Whatever the gates are,
 * silence is no yes: it waits until an instance of each workload has applied it, and one that the newest
 * stage takes.
 */
export function weighGates(memory: GateMemory, evidence: Weighed, place: StagePlace): Verdict {
  const binding = memory.standings.filter(({ gate }) => gate.dryRun !== true);
  const workloads = workloadsOf(evidence, place.held);
  const failed = binding
    .flatMap((standing) => failureOf(standing, workloads) ?? [])
    .sort((a, b) => STRENGTH[b.then] - STRENGTH[a.then]);
  if (failed[0] !== undefined) return failed[0];
  const waits =
    waitsForAnybody(evidence, workloads) ??
    binding.map((standing) => waitsForGate(memory, standing)).find((one) => one !== undefined) ??
    waitsForWorkload(evidence);
  if (waits !== undefined) return waits;
  const { applied, live } = evidence.all;
  const why = `${applied} of ${live} candidates have applied it`;
  const but = notYet(memory, binding, place);
  return { kind: 'pass', why, ...(but === undefined ? {} : { but }) };
}

/** The workloads of which it is known that somebody is there. */
export function workloadsOf(
  { byWorkload, rest }: Pick<Evidence, 'byWorkload' | 'rest'>,
  held: readonly string[],
): Workloads {
  const others = new Set([...byWorkload.keys(), ...rest]);
  for (const workload of held) others.delete(workload);
  return { held, others };
}

/** What a gate does to the release as it stands; `undefined`: nothing. */
export function failureOf(
  standing: GateStanding,
  { held, others }: Workloads,
): Failure | undefined {
  const { gate, findings, failures, inconclusiveMs } = standing;
  const { failureLimit = 1, onFailure = 'pause', onInconclusive = 'wait' } = gate;
  const doubtMs = gate.inconclusiveMs ?? Infinity;
  if (outcomeOf(findings) === 'inconclusive') {
    if (onInconclusive === 'wait' || inconclusiveMs <= doubtMs) return undefined;
    const why = `nothing is known for ${Math.round(doubtMs / 1_000)} s: ${whyOf(gate, findings[0])}`;
    return { kind: 'fail', then: onInconclusive, why };
  }
  const failed = findings.filter(
    ({ outcome, workload = '' }) =>
      outcome === 'fail' && (failures.get(workload) ?? 0) >= failureLimit,
  );
  if (failed.length === 0) return undefined;
  if (onFailure !== 'hold') {
    // One workload tells more than all of them.
    const told = failed.find(({ workload }) => workload === undefined) ?? failed[0];
    return { kind: 'fail', then: onFailure, why: whyOf(gate, told) };
  }
  const sick = failed.flatMap((one): [string, string][] => {
    const why = whyOf(gate, { ...one, workload: '' }).slice(0, LIMITS.heldReasonLength);
    return one.workload === undefined ? [] : [[one.workload, why]];
  });
  const workloads: Readonly<Record<string, string>> = Object.fromEntries(sick);
  const why = whyOf(gate, failed.find(({ workload }) => workload !== undefined) ?? failed[0]);
  if (sick.length === 0) return { kind: 'fail', then: 'pause', why };
  if ([...others].every((workload) => Object.hasOwn(workloads, workload))) {
    const nobody = held.length === 0 ? '' : ', and the others are held';
    return { kind: 'fail', then: 'abort', why: `no workload would go on with it${nobody}: ${why}` };
  }
  if (sick.length + held.length > LIMITS.heldWorkloads) {
    const many = `${sick.length} workloads are not well, and at most ${LIMITS.heldWorkloads} can be held`;
    return { kind: 'fail', then: 'pause', why: `${many}: ${why}` };
  }
  return { kind: 'fail', then: 'hold', why, workloads };
}

/** Why a gate failed or is not sure, and which it is where that is not plain. */
function whyOf({ kind, name }: Gate, finding: Finding | undefined): string {
  const { why = '', workload = '' } = finding ?? {};
  const gate = name === undefined ? '' : `${kind} ${name}: `;
  const whose = workload === '' || why.includes(workload) ? '' : `of ${workload} `;
  return `${gate}${whose}${why}`;
}

const GROWS = { kind: 'wait', grows: true } as const;

function waitsForAnybody(
  { all, isNewestReached }: Weighed,
  { held, others }: Workloads,
): Verdict | undefined {
  if (held.length > 0 && others.size === 0) {
    const why = `nobody else is there, and held: ${held.join(', ')}`;
    return { kind: 'wait', why: `${why}; resume gives another try, abort takes it back` };
  }
  if (all.live === 0) {
    return { ...GROWS, why: NOBODY.why };
  }
  if (isNewestReached) return undefined;
  return { ...GROWS, why: 'no live instance has the labels of this stage' };
}

function waitsForGate(memory: GateMemory, standing: GateStanding): Verdict | undefined {
  const { gate, findings, at, failures } = standing;
  if (gate.kind === 'approval' || memory.delayLeftMs(standing) > 0) return undefined;
  if (at === null) return { kind: 'wait', why: `${whyOf(gate, undefined)}it is being judged` };
  const outcome = outcomeOf(findings);
  if (outcome === 'pass') return undefined;
  if (outcome === 'inconclusive') return { kind: 'wait', why: whyOf(gate, findings[0]) };
  const failed = findings.find((one) => one.outcome === 'fail');
  const row = Math.max(0, ...failures.values());
  const times = `failed ${row} of ${gate.failureLimit ?? 1} times: `;
  return { kind: 'wait', why: `${times}${whyOf(gate, failed)}` };
}

function waitsForWorkload(evidence: Weighed): Verdict | undefined {
  const { all, forgiven, byWorkload, rest, takesAnybody } = evidence;
  for (const [workload, { live, applied }] of byWorkload) {
    if (applied > 0) continue;
    // Whoever resumed the release has seen that it is gone.
    if (live === 0 && all.lost <= forgiven.lost) continue;
    if (live === 0) return { ...GROWS, why: `of ${workload} no candidate is live` };
    return { kind: 'wait', why: `of ${workload} no candidate has applied it` };
  }
  const missing = [...rest].find((workload) => !byWorkload.has(workload));
  if (missing === undefined || !takesAnybody) return undefined;
  return { ...GROWS, why: `no instance of ${missing} has been reached` };
}

/** Why the stage does not end although everything is well. */
function notYet(
  memory: GateMemory,
  binding: readonly GateStanding[],
  { held, isLast, needsApproval }: StagePlace,
): string | undefined {
  const delayed = binding.find((standing) => memory.delayLeftMs(standing) > 0);
  if (delayed !== undefined) {
    const { kind, name } = delayed.gate;
    const left = Math.ceil(memory.delayLeftMs(delayed) / 1_000);
    return `${name ?? kind} is judged in ${left} s`;
  }
  const early = binding.find(({ isEarly }) => isEarly);
  if (early !== undefined) {
    return `${early.gate.name ?? early.gate.kind} is judged once more before the stage ends`;
  }
  if (needsApproval) return 'it waits for somebody to approve this stage';
  if (!isLast || held.length === 0) return undefined;
  return `held: ${held.join(', ')}; resume gives another try, advance ends it with them, abort takes it back`;
}
