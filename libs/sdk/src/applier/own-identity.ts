import { cohortHeld, cohortOf, isSameIdentity } from '@pawl/contracts';
import type { ConsumerIdentity, HeldSnapshot, SnapshotRelease } from '@pawl/contracts';
import type { Candidate } from './applier-jobs.js';

/** Who the consumer is: its slot is what the owner leases, until then the one that the file names. */
export class OwnIdentity {
  #value: ConsumerIdentity;
  #leased = false;

  constructor(consumer: Omit<ConsumerIdentity, 'slot'>) {
    this.#value = { ...consumer, slot: null };
  }

  get value(): ConsumerIdentity {
    return this.#value;
  }

  /** Says whether that is another slot than so far. */
  lease(slot: number | null): boolean {
    this.#leased = true;
    return this.#take(slot);
  }

  /**
   * Takes the slot of a former process, which was leased to the workload that it was then. Says whether
   * that is another slot than so far.
   */
  restore({ identity }: Pick<HeldSnapshot, 'identity'>): boolean {
    if (this.#leased || identity?.workload !== this.#value.workload) return false;
    return this.#take(identity.slot);
  }

  /** Whether a snapshot is held by who this consumer is now. */
  holds({ identity }: HeldSnapshot): boolean {
    return identity !== undefined && isSameIdentity(identity, this.#value);
  }

  cohortIn(releases: readonly SnapshotRelease[]): string {
    return cohortOf(releases, this.#value);
  }

  /** Whether the consumer is of another cohort than that whose variant is on its way. */
  hasLeft({ head, snapshot }: Candidate): boolean {
    return snapshot !== null && this.cohortIn(snapshot.releases) !== cohortHeld(head);
  }

  #take(slot: number | null): boolean {
    if (slot === this.#value.slot) return false;
    this.#value = { ...this.#value, slot };
    return true;
  }
}
