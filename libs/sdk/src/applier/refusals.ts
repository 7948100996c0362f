import type { Rejection } from './applier-io.js';
import { isNewer, isTwin, newest } from './version-point.js';
import type { VersionPoint } from './version-point.js';

/** Refused snapshots remembered so that none is tried twice. */
const REMEMBERED = 8;

/** What was refused since something was last applied from the network, oldest first. */
export class Refusals {
  #refused: readonly Rejection[] = [];

  get newest(): Rejection | null {
    return this.#refused.reduce<Rejection | null>((best, each) => newest(best, each), null);
  }

  add(rejection: Rejection): void {
    this.#refused = [...this.#refused.slice(1 - REMEMBERED), rejection];
  }

  /** Whether a snapshot was refused as the variant of that cohort. */
  has(snapshot: VersionPoint & { readonly hash: string }, cohort: string): boolean {
    return this.#refused.some((each) => isTwin(each, snapshot) && each.cohort === cohort);
  }

  clear(): void {
    this.#refused = [];
  }

  keepNewerThan(point: VersionPoint): void {
    this.#refused = this.#refused.filter((each) => isNewer(each, point));
  }
}
