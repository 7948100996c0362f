import type { Rejection } from './applier-io.js';
import { isNewer, isTwin } from './version-point.js';
import type { VersionPoint } from './version-point.js';

/** Refused snapshots remembered so that none is tried twice. */
const REMEMBERED = 8;

/** What was refused since something was last applied from the network, oldest first. */
export class Refusals {
  #refused: readonly Rejection[] = [];

  /** Of one version the one that was refused last. */
  get newest(): Rejection | null {
    return this.#refused.reduce<Rejection | null>(
      (best, each) => (best !== null && isNewer(best, each) ? best : each),
      null,
    );
  }

  add(rejection: Rejection): void {
    this.#refused = [...this.#refused.slice(1 - REMEMBERED), rejection];
  }

  /** Whether a snapshot was refused as the variant of that cohort. */
  has(snapshot: VersionPoint & { readonly hash: string }, cohort: string): boolean {
    return this.#refused.some((each) => isTwin(each, snapshot) && each.cohort === cohort);
  }

  /** What was refused as the variant of that cohort, and came again, counts as refused last. */
  recall(snapshot: VersionPoint & { readonly hash: string }, cohort: string): void {
    const isIt = (each: Rejection): boolean => isTwin(each, snapshot) && each.cohort === cohort;
    this.#refused = [...this.#refused.filter((each) => !isIt(each)), ...this.#refused.filter(isIt)];
  }

  /**
   * What moved to a newer version leaves all behind, else what is refused and newer still counts. Says
   * whether something newer was left behind.
   */
  applied(head: VersionPoint, before: VersionPoint | null): boolean {
    const newer = this.#refused.filter((each) => isNewer(each, head));
    const isMove = isNewer(head, before);
    this.#refused = isMove ? [] : newer;
    return isMove && newer.length > 0;
  }
}
