import { murmur3 } from '../hash/murmur3.js';
import type { ReleaseStage, SnapshotRelease } from '../messages/snapshot.message.js';

/** What decides which releases a consumer is a candidate of. */
export interface ConsumerIdentity {
  readonly workload: string;
  /** Leased by the owner to one live instance of the workload at a time; null: none (yet). */
  readonly slot: number | null;
  readonly labels: Readonly<Record<string, string>>;
}

export function isSameIdentity(a: ConsumerIdentity, b: ConsumerIdentity): boolean {
  const labels = Object.entries(a.labels);
  return (
    a.workload === b.workload &&
    a.slot === b.slot &&
    labels.length === Object.keys(b.labels).length &&
    labels.every(([label, value]) => Object.hasOwn(b.labels, label) && b.labels[label] === value)
  );
}

/** Buckets, and basis points: hundredths of a per cent. */
export const BUCKETS = 10_000;

/**
 * The place of a workload's slot in the order in which a release grows, 0 to {@link BUCKETS} - 1: another
 * order for each salt, the same for whoever holds the slot, in whatever language it is worked out.
 */
export function bucketOf(salt: string, workload: string, slot: number): number {
  return Math.floor((murmur3(`${salt}/${workload}/${slot}`, 0) * BUCKETS) / 2 ** 32);
}

/** How a stage names a slot that its basis points leave out. */
export function slotName(workload: string, slot: number): string {
  return `${workload}/${slot}`;
}

/**
 * Whether a consumer is a candidate of a release: any stage reached so far takes it, so that a release
 * that grows moves nobody out. Without a slot it is a candidate of none, nor while its workload is held.
 */
export function isCandidate(release: SnapshotRelease, consumer: ConsumerIdentity): boolean {
  const { workload, slot, labels } = consumer;
  if (slot === null) return false;
  const { salt, stages, held } = release;
  if (held?.includes(workload) === true) return false;
  return stages.some(
    (stage) =>
      isSelected(stage, labels) &&
      (isNamed(stage.named, workload, slot) ||
        (stage.basisPoints > 0 && bucketOf(salt, workload, slot) < stage.basisPoints)),
  );
}

/** Lists of names as sets: an owner asks of thousands of consumers whether they are in the same one. */
const NAMES = new WeakMap<readonly string[], ReadonlySet<string>>();

function isNamed(named: readonly string[] | undefined, workload: string, slot: number): boolean {
  if (named === undefined) return false;
  let names = NAMES.get(named);
  if (names === undefined) {
    names = new Set(named);
    NAMES.set(named, names);
  }
  return names.has(slotName(workload, slot));
}

/** The key of the variant that a consumer is to run: the ids of the releases it is a candidate of. */
export function cohortOf(releases: readonly SnapshotRelease[], consumer: ConsumerIdentity): string {
  return cohortKey(releases.filter((release) => isCandidate(release, consumer)));
}

/** The key of a cohort: its releases' ids, sorted, joined by `+`; the empty text for none. */
export function cohortKey(releases: readonly Pick<SnapshotRelease, 'id'>[]): string {
  return releases
    .map(({ id }) => id)
    .sort()
    .join('+');
}

/** Whether labels match a stage's selector: each label named has one of the values named. */
export function isSelected(
  { selector }: Pick<ReleaseStage, 'selector'>,
  labels: ConsumerIdentity['labels'],
): boolean {
  if (selector === undefined) return true;
  return Object.entries(selector).every(([label, values]) => {
    const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
    return value !== undefined && values.includes(value);
  });
}
