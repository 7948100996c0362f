import type { AddressText } from '@pawl/contracts';
import type { Incarnation } from '../status/incarnation.js';

/** More of one release are kept only as far as somebody is there who would read it. */
const MANY = 100_000;

/** What an instance reads at an address, by the document's hash. */
export interface Reading {
  readonly one: Incarnation;
  readonly address: AddressText;
  readonly hash: string;
}

/** Tells of everybody whom a release is still to reach what they would read. */
export type Voters = (tell: (reading: Reading) => void) => void;

/** The workload and build of an instance: others of the same are taken to judge alike. */
export function kindOf({ ref, build }: Pick<Incarnation, 'ref' | 'build'>): string {
  return `${ref.workload}\n${build ?? ''}`;
}

/**
 * Which kinds of instances accepted which documents where, by release; also those whose silence its strategy
 * let pass. What is read at another address may be judged otherwise there. The memory of one owner: the
 * next one knows nothing. Bounded by who is there: beyond so many only what somebody would still read is kept.
 */
export class AcceptedKinds {
  /** Kinds by the address and the hash of the document. */
  readonly #byRelease = new Map<string, Known>();

  constructor(private readonly many = MANY) {}

  has(release: string, reading: Reading): boolean {
    return isKnown(this.#byRelease.get(release), reading);
  }

  /** `voters`: those whom the release is still to reach. */
  add(release: string, accepted: readonly Reading[], voters: Voters): void {
    const known = this.#byRelease.get(release) ?? (new Map() as Known);
    this.#byRelease.set(release, known);
    for (const reading of accepted) note(known, reading);
    if (this.countOf(release) <= this.many) return;
    const kept: Known = new Map();
    voters((reading) => {
      if (isKnown(known, reading)) note(kept, reading);
    });
    this.#byRelease.set(release, kept);
  }

  /** Kinds, each with what it accepted at an address, that are remembered of a release. */
  countOf(release: string): number {
    let count = 0;
    for (const kinds of this.#byRelease.get(release)?.values() ?? []) count += kinds.size;
    return count;
  }

  /** Forgets all other releases. */
  keepOnly(releases: ReadonlySet<string>): void {
    for (const id of this.#byRelease.keys()) if (!releases.has(id)) this.#byRelease.delete(id);
  }
}

type Known = Map<string, Set<string>>;

function isKnown(known: Known | undefined, reading: Reading): boolean {
  return known?.get(placeOf(reading))?.has(kindOf(reading.one)) === true;
}

function note(known: Known, reading: Reading): void {
  const place = placeOf(reading);
  const kinds = known.get(place) ?? new Set();
  known.set(place, kinds.add(kindOf(reading.one)));
}

function placeOf({ address, hash }: Reading): string {
  return `${address}\n${hash}`;
}
