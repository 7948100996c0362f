import type { AddressText } from '@pawl/contracts';
import type { KeptTruth } from './kept-truth.js';
import type { Violations } from './violations.js';

/** What is versioned at an address, and read by clients. */
export type Axis = 'definition' | 'release' | 'snapshot';

type Told = Record<Axis, number>;

/**
 * The highest versions of an address that anybody had been told of at some time, and how often
 * PostgreSQL had been put back by then.
 */
export type Floor = Readonly<Told> & { readonly era: number };

/**
 * Real-time order of what clients are told (linearizability of the version counters of each
 * address): who asks after somebody was told of a version is never told of a lower one. That each
 * version is of one write, and what it says, is for `Answers` to check.
 */
export class Histories {
  readonly #told = new Map<AddressText, Told>();
  readonly trace: string[] = [];
  #era = 0;

  constructor(private readonly judge: Violations) {}

  /** To be taken when a request begins. */
  floor(address: AddressText): Floor {
    return { ...this.#of(address), era: this.#era };
  }

  /** PostgreSQL is what it was: what is not there any more may not be told. */
  restored(truth: KeptTruth): void {
    this.#era += 1;
    for (const [address, told] of this.#told) {
      const { definitions, releases, head } = truth.of(address);
      told.definition = Math.min(told.definition, definitions.length);
      told.release = Math.min(told.release, releases.length);
      told.snapshot = Math.min(told.snapshot, head?.version ?? 0);
    }
  }

  /** A read or a write that changed nothing was answered with this version. */
  told(
    what: string,
    of: { address: AddressText; axis: Axis; version: number },
    floor: Floor,
  ): void {
    const { address, axis, version } = of;
    this.trace.push(`${what} ${address} ${axis} ${version}`);
    if (floor.era !== this.#era) return;
    this.judge.demand(
      version >= floor[axis],
      `${what} of ${address} is told ${axis} ${version}, and ${floor[axis]} was told before it began`,
    );
    const known = this.#of(address);
    known[axis] = Math.max(known[axis], version);
  }

  /** A command was acknowledged, which made this version. */
  wrote(
    what: string,
    of: { address: AddressText; axis: Axis; version: number },
    floor: Floor,
  ): void {
    const { address, axis, version } = of;
    this.judge.demand(
      version > floor[axis] || floor.era !== this.#era,
      `${what} made ${axis} ${version} of ${address}, and ${floor[axis]} was told before it began`,
    );
    this.told(what, of, floor);
  }

  #of(address: AddressText): Told {
    const known = this.#told.get(address);
    if (known !== undefined) return known;
    const fresh = { definition: 0, release: 0, snapshot: 0 };
    this.#told.set(address, fresh);
    return fresh;
  }
}
