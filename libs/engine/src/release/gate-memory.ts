import { MAX_GATE_RESULTS } from '@pawl/contracts';
import type { Gate, GateResult } from '@pawl/contracts';
import { outcomeOf } from './finding.js';
import type { Finding } from './finding.js';

/** How often gates are judged that say nothing of it; others at each look. */
const HEALTH_INTERVAL_MS = 5_000;

/** Kinds of which one finding is over all workloads together, and others of one each. */
const JUDGED_BY_WORKLOAD: ReadonlySet<Gate['kind']> = new Set([
  ...(['rejections', 'lost', 'applied', 'restarts', 'errors', 'latency'] as const),
]);

/** How a gate stands in the stage that is watched. */
export interface GateStanding {
  readonly gate: Gate;
  /** Over all first, then workloads; as they were judged last. */
  findings: readonly Finding[];
  /** When that was, RFC 3339; `null`: not yet in this stage. */
  at: string | null;
  /** Monotonic time before which it is not judged again. */
  nextMs: number;
  /** Failed judgements in a row, by workload; over all under the empty text. */
  readonly failures: Map<string, number>;
  /** How long nothing has been known, milliseconds. */
  inconclusiveMs: number;
  /** It was judged before the bake was over, and is to be once more. */
  isEarly: boolean;
  /** Of a dry run: the history says what it would have done in this stage. */
  isNoted: boolean;
  /** The question that is under way; ends it. */
  asking: (() => void) | null;
}

/**
 * What the owner remembers of the gates of one stage. It is memory alone: a new owner, a new stage, and
 * whoever resumes the release, begin anew, and nothing passes before it was judged again.
 */
export class GateMemory {
  readonly standings: readonly GateStanding[];
  /** How long the stage has been watched, all published, milliseconds. */
  #watchedMs = 0;
  #isBaked = false;

  constructor(gates: readonly Gate[]) {
    this.standings = gates.map((gate) => ({
      gate,
      isNoted: false,
      ...unjudged(),
      failures: new Map(),
    }));
  }

  /** Counts time in which everything was published and watched. */
  watched(stepMs: number): void {
    this.#watchedMs += stepMs;
    for (const standing of this.standings) {
      const isUnknown = standing.at !== null && outcomeOf(standing.findings) === 'inconclusive';
      standing.inconclusiveMs = isUnknown ? standing.inconclusiveMs + stepMs : 0;
    }
  }

  /**
   * Told at each look whether the bake is over with it. Then whatever is not judged at each look is once more,
   * so that a stage whose bake is shorter than an interval does not end by how it began.
   */
  baked(isBaked: boolean): void {
    if (isBaked && !this.#isBaked) {
      for (const standing of this.standings) {
        if (standing.at === null || intervalOf(standing.gate) === 0) continue;
        Object.assign(standing, { isEarly: true, nextMs: 0 });
      }
    }
    this.#isBaked = isBaked;
  }

  /** What is left of a gate's delay in this stage, milliseconds. */
  delayLeftMs({ gate: { initialDelayMs = 0 } }: GateStanding): number {
    return Math.max(0, initialDelayMs - this.#watchedMs);
  }

  /** Whether it is time to judge a gate by what consumers report. */
  isDue(standing: GateStanding, nowMs: number): boolean {
    return nowMs >= standing.nextMs && this.delayLeftMs(standing) === 0;
  }

  judged(
    standing: GateStanding,
    findings: readonly Finding[],
    at: { readonly wall: string; readonly monotonicMs: number },
  ): void {
    const { failures, gate } = standing;
    standing.findings = findings;
    standing.at = at.wall;
    standing.isEarly = false;
    standing.nextMs = at.monotonicMs + intervalOf(gate);
    const failed = new Map(
      findings
        .filter(({ outcome }) => outcome === 'fail')
        .map(({ workload = '' }) => [workload, (failures.get(workload) ?? 0) + 1]),
    );
    // Where nothing is known the row is not broken.
    const isUnknown = outcomeOf(findings) === 'inconclusive';
    if (!isUnknown) failures.clear();
    for (const [workload, count] of failed) failures.set(workload, count);
  }

  /** Everything is to be judged anew; failures before do not count. */
  reset(): void {
    this.end();
    for (const standing of this.standings) {
      Object.assign(standing, unjudged());
      standing.failures.clear();
    }
  }

  /**
   * These workloads are held, and so judged no more. What is judged by workload nothing passes by before it
   * is judged again without them; of the others all failures in a row count on.
   */
  without(held: readonly string[]): void {
    for (const standing of this.standings) {
      if (!JUDGED_BY_WORKLOAD.has(standing.gate.kind)) continue;
      Object.assign(standing, { findings: [], at: null });
      for (const workload of ['', ...held]) standing.failures.delete(workload);
    }
  }

  /** Ends the questions that are under way. */
  end(): void {
    for (const standing of this.standings) {
      standing.asking?.();
      standing.asking = null;
    }
  }
}

function unjudged(): Pick<
  GateStanding,
  'findings' | 'at' | 'nextMs' | 'inconclusiveMs' | 'isEarly' | 'asking'
> {
  return { findings: [], at: null, nextMs: 0, inconclusiveMs: 0, isEarly: false, asking: null };
}

/** Pause between two judgements; 0: at each look. */
export function intervalOf({ kind, intervalMs }: Gate): number {
  if (intervalMs !== undefined) return intervalMs;
  return kind === 'errors' || kind === 'latency' ? HEALTH_INTERVAL_MS : 0;
}

/** How the gates judged last, for people; those that were not are left out. */
export function gateResults(standings: readonly GateStanding[]): GateResult[] {
  const results = standings.flatMap(({ gate, findings, at, failures }) =>
    findings.map((finding): GateResult => {
      const { kind, name, dryRun } = gate;
      return {
        kind,
        ...(name === undefined ? {} : { name }),
        ...finding,
        at: at ?? '',
        ...(dryRun === undefined ? {} : { dryRun }),
        failures: failures.get(finding.workload ?? '') ?? 0,
      };
    }),
  );
  return results.slice(0, MAX_GATE_RESULTS);
}
