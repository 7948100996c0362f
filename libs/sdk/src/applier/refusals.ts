import { cohortHeld } from '@pawl/contracts';
import type { Rejection } from './applier-io.js';
import type { Restored, SnapshotName } from './last-known-good.js';
import { isNewer, isTwin } from './version-point.js';
import type { VersionPoint } from './version-point.js';

/** Refused snapshots remembered so that none is tried twice. */
const REMEMBERED = 8;

/** What was refused since something was last applied from the network, oldest first. */
export class Refusals {
  #refused: readonly Rejection[] = [];
  /** Refused until something newer is applied, and never tried. */
  #barred: Rejection | null = null;
  #barredContent: string | undefined;

  /** Of one version the one that was refused last. */
  get newest(): Rejection | null {
    return this.#refused.reduce<Rejection | null>(
      (best, each) => (best !== null && isNewer(best, each) ? best : each),
      null,
    );
  }

  add(of: SnapshotName, reason: string): Rejection {
    const { generation, version, hash } = of;
    const rejection: Rejection = { generation, version, hash, cohort: cohortHeld(of), reason };
    this.#refused = [...this.#refused.slice(1 - REMEMBERED), rejection];
    return rejection;
  }

  /** A snapshot is not to be tried by this process, whatever is applied, nor its content as another. */
  bar({ of, reason, content }: NonNullable<Restored['refused']>): Rejection {
    this.#barred = this.add(of, reason);
    this.#barredContent = content;
    return this.#barred;
  }

  /** Why a content is not to be tried; `null`: it may be. */
  reasonAgainst(contentHash: string): string | null {
    return contentHash === this.#barredContent ? (this.#barred?.reason ?? null) : null;
  }

  /** Whether a snapshot was refused as the variant of that cohort. */
  has(snapshot: VersionPoint & { readonly hash: string }, cohort: string): boolean {
    const isIt = (each: Rejection): boolean => isTwin(each, snapshot) && each.cohort === cohort;
    return this.#refused.some(isIt) || (this.#barred !== null && isIt(this.#barred));
  }

  /** What was refused as the variant of that cohort, and came again, counts as refused last. */
  recall(snapshot: VersionPoint & { readonly hash: string }, cohort: string): void {
    const isIt = (each: Rejection): boolean => isTwin(each, snapshot) && each.cohort === cohort;
    this.#refused = [...this.#refused.filter((each) => !isIt(each)), ...this.#refused.filter(isIt)];
  }

  /**
   * What moved to a newer version leaves all behind but what is barred and newer still, else what is
   * refused and newer still counts. Says whether something newer was left behind.
   */
  applied(head: VersionPoint, before: VersionPoint | null): boolean {
    const newer = this.#refused.filter((each) => isNewer(each, head));
    const barred = this.#refused.filter((each) => each === this.#barred);
    this.#refused = isNewer(head, before)
      ? newer.filter((each) => barred.includes(each))
      : this.#refused.filter((each) => newer.includes(each) || barred.includes(each));
    return newer.some((each) => !this.#refused.includes(each));
  }
}
