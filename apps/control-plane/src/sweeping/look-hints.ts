import type { Address } from '@pawl/contracts';
import type { EngineObserver, WakeUps } from '@pawl/engine';
import type { LookJobs } from '@pawl/jobs';

/** Wake-ups kept until there is a queue; owners ask for as many as they load when a node starts. */
const MAX_EARLY = 1_000;

/**
 * What the engine may hint at before there is a queue to put it in. What is more than it keeps is lost, and
 * owners and webhooks look by themselves a little later.
 */
export class LookHints implements WakeUps {
  readonly #early: [Address, number][] = [];
  #jobs: LookJobs | undefined;

  /** Hints go there from now on. */
  use(jobs: LookJobs): LookJobs {
    this.#jobs = jobs;
    for (const [address, wallMs] of this.#early.splice(0)) jobs.at(address, wallMs);
    return jobs;
  }

  at(address: Address, wallMs: number): void {
    if (this.#jobs !== undefined) this.#jobs.at(address, wallMs);
    else if (this.#early.length < MAX_EARLY) this.#early.push([address, wallMs]);
  }

  /** The same observer, which hints at each commit. */
  observing(observer: EngineObserver): EngineObserver {
    return {
      written: (...what) => observer.written(...what),
      committed: (changesets) => {
        observer.committed(changesets);
        this.#jobs?.committed();
      },
      published: (...what) => observer.published(...what),
      applied: (...what) => observer.applied(...what),
      rejected: (address) => observer.rejected(address),
      incident: (kind) => observer.incident(kind),
    };
  }
}
