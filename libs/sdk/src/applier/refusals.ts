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

  /** What moved to a newer version leaves all behind, else what is refused and newer still counts. */
  applied(head: VersionPoint, before: VersionPoint | null): void {
    const isMove = isNewer(head, before);
    this.#refused = isMove ? [] : this.#refused.filter((each) => isNewer(each, head));
  }
}
