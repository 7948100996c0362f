import type { AddressText } from '@pawl/contracts';
import type { Violations } from './violations.js';

/** What is versioned at an address, and read by clients. */
export type Axis = 'definition' | 'release' | 'snapshot';

/** The highest versions of an address that anybody had been told of at some time. */
export type Floor = Readonly<Record<Axis, number>>;

/**
 * Real-time order of what clients are told (linearizability of the version counters of each
 * address): who asks after somebody was told of a version is never told of a lower one. That each
 * version is of one write, and what it says, is the ledger's to check.
 */
export class Histories {
  readonly #told = new Map<AddressText, Record<Axis, number>>();
  readonly trace: string[] = [];

  constructor(private readonly judge: Violations) {}

  /** To be taken when a request begins. */
  floor(address: AddressText): Floor {
    return { ...this.#of(address) };
  }

  /** A read or a write that changed nothing was answered with this version. */
  told(
    what: string,
    of: { address: AddressText; axis: Axis; version: number },
    floor: Floor,
  ): void {
    const { address, axis, version } = of;
    this.trace.push(`${what} ${address} ${axis} ${version}`);
    this.judge.demand(
      version >= floor[axis],
      `${what} of ${address} is told ${axis} ${version}, and ${floor[axis]} was told before it began`,
    );
    const known = this.#of(address);
    known[axis] = Math.max(known[axis], version);
  }

  /** A write was acknowledged, which made this version. */
  wrote(
    what: string,
    of: { address: AddressText; axis: Axis; version: number },
    floor: Floor,
  ): void {
    const { address, axis, version } = of;
    this.judge.demand(
      version > floor[axis],
      `${what} made ${axis} ${version} of ${address}, and ${floor[axis]} was told before it began`,
    );
    this.told(what, of, floor);
  }

  #of(address: AddressText): Record<Axis, number> {
    const known = this.#told.get(address);
    if (known !== undefined) return known;
    const fresh = { definition: 0, release: 0, snapshot: 0 };
    this.#told.set(address, fresh);
    return fresh;
  }
}
