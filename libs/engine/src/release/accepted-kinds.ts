import type { Incarnation } from '../status/incarnation.js';

/** More of one release are kept only as far as somebody is there who would read it. */
const MANY = 100_000;

/** Tells of everybody whom a release is still to reach, and what they would read. */
export type Voters = (tell: (one: Incarnation, hash: string) => void) => void;

/** The workload and build of an instance: others of the same are taken to judge alike. */
export function kindOf({ ref, build }: Pick<Incarnation, 'ref' | 'build'>): string {
  return `${ref.workload}\n${build ?? ''}`;
}

/**
 * Which kinds of instances accepted which documents, by release; also those whose silence its strategy let
 * pass. The memory of one owner: the next one knows nothing. Bounded by who is there: beyond so many pairs of kind and document
 * only what somebody would still read is kept.
 */
export class AcceptedKinds {
  /** Kinds by the hash of the document. */
  readonly #byRelease = new Map<string, Map<string, Set<string>>>();

  constructor(private readonly many = MANY) {}

  has(release: string, one: Incarnation, hash: string): boolean {
    return this.#byRelease.get(release)?.get(hash)?.has(kindOf(one)) === true;
  }

  /** `voters`: those whom the release is still to reach. */
  add(
    release: string,
    accepted: readonly { readonly one: Incarnation; readonly hash: string }[],
    voters: Voters,
  ): void {
    const known = this.#byRelease.get(release) ?? new Map<string, Set<string>>();
    this.#byRelease.set(release, known);
    for (const { one, hash } of accepted) note(known, kindOf(one), hash);
    if (this.countOf(release) <= this.many) return;
    const kept = new Map<string, Set<string>>();
    voters((one, hash) => {
      const kind = kindOf(one);
      if (known.get(hash)?.has(kind) === true) note(kept, kind, hash);
    });
    this.#byRelease.set(release, kept);
  }

  /** Pairs of kind and document that are remembered of a release. */
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

function note(known: Map<string, Set<string>>, kind: string, hash: string): void {
  const kinds = known.get(hash) ?? new Set();
  known.set(hash, kinds.add(kind));
}
