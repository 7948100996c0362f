import type { Address } from '@pawl/contracts';
import type { EngineObserver, WakeUps } from '@pawl/engine';
import type { LookJobs } from '@pawl/jobs';

/**
 * What the engine may hint at before there is a queue to put it in, and while there is none: then it is
 * lost, and owners and webhooks look by themselves a little later.
 */
export class LookHints implements WakeUps {
  #jobs: LookJobs | undefined;

  /** Hints go there from now on. */
  use(jobs: LookJobs): LookJobs {
    this.#jobs = jobs;
    return jobs;
  }

  at(address: Address, wallMs: number): void {
    this.#jobs?.at(address, wallMs);
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
