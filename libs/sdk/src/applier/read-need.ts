import { isNewer, newest } from './version-point.js';
import type { VersionPoint } from './version-point.js';

/** Reads in a row that stay behind what was named before the name is taken for a mistake. */
const READS_BEHIND = 12;

/**
 * Whether an address's stream is to be read again: what was named for it, beside what arrived. `held` is
 * what the next snapshot is judged against.
 */
export class ReadNeed {
  /** Newest snapshot that arrived and verified, whatever became of it. */
  #seen: VersionPoint | null = null;
  #named: VersionPoint | null = null;
  /** What is held is to be seen, or what is newer: the consumer may be of another cohort there. */
  #again = false;
  #readsBehind = 0;

  see({ generation, version }: VersionPoint, held: VersionPoint | null): void {
    const point = { generation, version };
    if (held === null || !isNewer(held, point)) this.#again = false;
    this.#seen = newest(this.#seen, point);
  }

  /** What was seen so far was never published, or is to be seen again. */
  forgetSeen(): void {
    this.#seen = null;
  }

  /** Whether a snapshot that is named is newer than all that is known. */
  name(point: VersionPoint, held: VersionPoint | null): boolean {
    if (!isNewer(point, newest(this.#seen, held))) return false;
    if (this.#named === null || isNewer(point, this.#named)) {
      const { generation, version } = point;
      this.#named = { generation, version };
      this.#readsBehind = 0;
    }
    return true;
  }

  lookAgain(): void {
    this.#again = true;
  }

  applied(point: VersionPoint): void {
    if (this.#named !== null && !isNewer(this.#named, point)) this.#named = null;
  }

  isBehind(held: VersionPoint | null): boolean {
    return this.#seen === null || this.#again || this.#isNameAhead(held);
  }

  /** The name that is given up, once one read too many showed less. */
  afterRead(held: VersionPoint | null): VersionPoint | null {
    const named = this.#named;
    if (!this.#isNameAhead(held)) {
      this.#readsBehind = 0;
      return null;
    }
    this.#readsBehind += 1;
    if (this.#readsBehind < READS_BEHIND) return null;
    this.#named = null;
    return named;
  }

  #isNameAhead(held: VersionPoint | null): boolean {
    return this.#named !== null && isNewer(this.#named, newest(this.#seen, held));
  }
}
