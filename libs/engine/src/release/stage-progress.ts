import { LIMITS } from '@pawl/contracts';
import { bakeMsOf, isLastStage, progressMsOf, workloadsHeld } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import { isApproved } from './approval.js';
import type { Verdict } from './weigh-gates.js';

/**
 * For how long a stage has made no progress. It is the owner's memory alone: a new owner, a new stage, and
 * whoever resumes the release, begin anew.
 */
export class StageProgress {
  #mostApplied = 0;
  #mostBakedMs = 0;
  #idleMs = 0;

  /** Begins anew. */
  reset(): void {
    this.#mostApplied = 0;
    this.#mostBakedMs = 0;
    this.#idleMs = 0;
  }

  /** Told at each look how many candidates have applied it: more than ever before is progress. */
  applied(count: number): void {
    if (count <= this.#mostApplied) return;
    this.#mostApplied = count;
    this.#idleMs = 0;
  }

  /**
   * Counts time in which the stage could have gone on, and did not. Why the release is to be paused once that
   * was longer than it may be; `undefined`: it was not.
   */
  late(
    staged: StagedRelease,
    of: { readonly verdict: Verdict; readonly bakedMs: number; readonly stepMs: number },
  ): string | undefined {
    const { verdict, bakedMs, stepMs } = of;
    if (verdict.kind === 'pass' && bakedMs < bakeMsOf(staged)) {
      // One that is baked again since nobody was there is no progress, and does not count.
      if (bakedMs > this.#mostBakedMs) this.#idleMs = 0;
      this.#mostBakedMs = Math.max(this.#mostBakedMs, bakedMs);
      return undefined;
    }
    // All is well, and a person or a moment is waited for.
    if (verdict.kind === 'pass' && !waitsForHeld(staged)) this.#idleMs = 0;
    else this.#idleMs += stepMs;
    const mostMs = progressMsOf(staged);
    if (this.#idleMs <= mostMs) return undefined;
    const why = verdict.kind === 'pass' ? (verdict.but ?? verdict.why) : verdict.why;
    return noProgress(mostMs, why);
  }
}

/** The reason of a release that is paused since nothing has come of it for so long. */
export function noProgress(mostMs: number, why: string): string {
  return `no progress for ${mostMs / 1_000} s: ${why}`.slice(0, LIMITS.messageLength);
}

/** It would end but for workloads that are held. */
function waitsForHeld(staged: StagedRelease): boolean {
  return isLastStage(staged) && isApproved(staged) && workloadsHeld(staged).length > 0;
}
