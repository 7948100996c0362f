import type { JsonObject, SnapshotInput, SnapshotRelease } from '@pawl/contracts';

/** Who a consumer is, as far as releases in stages go. */
export interface Who {
  readonly workload: string;
  readonly slot: number | null;
  readonly labels: Readonly<Record<string, string>>;
}

const EVERYBODY = 10_000;

/**
 * Whether a release has reached this consumer, by a second, simpler rule: worlds are so small that
 * stages name their slots, and no bucket decides before the last stage. Of a workload that is held nobody is.
 */
export function isReached(
  { stages, held }: Pick<SnapshotRelease, 'stages' | 'held'>,
  who: Who,
): boolean {
  const { workload, slot, labels } = who;
  if (slot === null || held?.includes(workload) === true) return false;
  return stages.some(({ basisPoints, selector = {}, named = [] }) => {
    const fits = Object.entries(selector).every(([label, values]) =>
      values.some((value) => labels[label] === value),
    );
    return fits && (basisPoints === EVERYBODY || named.includes(`${workload}/${slot}`));
  });
}

/** The key of the cohort that consumers of these releases are in. */
export function keyOf(ids: readonly string[]): string {
  return [...ids].sort().join('+');
}

/** The key of the cohort that a consumer is in. */
export function cohortKeyOf(releases: readonly SnapshotRelease[], who: Who): string {
  return keyOf(releases.filter((release) => isReached(release, who)).map(({ id }) => id));
}

/** Every set of these releases. */
export function setsOf(
  releases: readonly SnapshotRelease[],
): readonly (readonly SnapshotRelease[])[] {
  return Array.from({ length: 2 ** releases.length }, (_, bits) =>
    releases.filter((_release, at) => (bits & (2 ** at)) !== 0),
  );
}

/** The layers as the candidates of these releases run them. */
export function layersFor(
  inputs: readonly SnapshotInput[],
  releases: readonly SnapshotRelease[],
): readonly SnapshotInput[] {
  const reached = releases.map(({ address }) => address);
  return inputs.map((input) =>
    input.candidate !== undefined && reached.includes(input.address)
      ? { ...input, definitionVersion: input.candidate }
      : input,
  );
}

/** Whether anybody whom these stages reached is left out by the next ones, but as his workload is held. */
export function movesOut(
  before: Pick<SnapshotRelease, 'stages'>,
  next: Pick<SnapshotRelease, 'stages'>,
  everybody: readonly Who[],
): boolean {
  const [was, is] = [{ stages: before.stages }, { stages: next.stages }];
  return everybody.some((who) => isReached(was, who) && !isReached(is, who));
}

/** Which parts of a document are about consumers of the simulated worlds. */
export type Trouble = 'refused' | 'deadly';

/** Whether a document makes this kind of trouble for consumers of this temper. */
export function makesTrouble(document: JsonObject, trouble: Trouble, temper: number): boolean {
  return Object.entries(document).some(
    ([key, value]) => key.startsWith(`${trouble} `) && value === temper,
  );
}
