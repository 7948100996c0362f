import type { ConsumerRecord } from '../world/fleet.js';
import type { StoredSnapshot, Truth } from '../world/read-truth.js';
import { groupBy } from './group-by.js';
import type { Broken } from './promise.js';

/**
 * A consumer goes forward only, and runs what was released in the order in which it was; a new process
 * starts with what its file held, or later. Nobody sees two contents under one version; nothing was rejected, for nobody validates.
 * `isRestored`: an older copy was; releases of former generations are not all known then.
 */
export function checkConsumers(
  truth: Truth,
  records: readonly ConsumerRecord[],
  isRestored = false,
): Broken[] {
  const released = releasedBy(truth);
  const generations = new Map(truth.snapshots.map((one) => [one.scope, one.generation]));
  const isKnown = ({ address, generation }: ConsumerRecord): boolean =>
    !isRestored || (generation ?? 0) >= (generations.get(address) ?? 0);
  const broken: Broken[] = [];
  for (const own of groupBy(records, ({ consumer }) => consumer).values()) {
    broken.push(...checkOrder(own), ...checkReleased(own.filter(isKnown), released));
  }
  return [...broken, ...checkOneTruth(records), ...checkRejections(records)];
}

/** Who of so many consumers runs something else than what PostgreSQL holds; empty: all have converged. */
export function notConverged(
  snapshots: readonly StoredSnapshot[],
  records: readonly ConsumerRecord[],
  consumers: number,
): string[] {
  const wanted = new Map(snapshots.map((one) => [one.scope, one]));
  const last = new Map(
    records.filter(({ kind }) => kind === 'applied').map((one) => [one.consumer, one]),
  );
  const missing = consumers - last.size;
  const silent = missing > 0 ? [`${missing} never applied anything`] : [];
  const others = [...last.values()].flatMap((one) => {
    const should = wanted.get(one.address);
    const isKnown = one.generation !== null;
    const same =
      one.version === should?.version &&
      (!isKnown || (one.hash === should.hash && one.generation === should.generation));
    if (same) return [];
    return [`${one.consumer} runs ${JSON.stringify(one)}, not ${JSON.stringify(should)}`];
  });
  return [...silent, ...others];
}

function checkOrder(own: readonly ConsumerRecord[]): Broken[] {
  const broken: Broken[] = [];
  let before: ConsumerRecord | undefined;
  let onDisk: ConsumerRecord | undefined;
  for (const now of own) {
    if (now.kind === 'rejected') continue;
    const bound = now.isStart === true ? onDisk : before;
    if (bound !== undefined && !isLater(bound, now) && !isResumed(bound, now)) {
      const text = `${now.consumer} went from ${JSON.stringify(bound)} to ${JSON.stringify(now)}`;
      broken.push({ promise: 'consumers never go back', text });
    }
    before = { ...now, generation: now.generation ?? bound?.generation ?? null };
    if (now.generation !== null) onDisk = now;
  }
  return broken;
}

/** A new process starts with the very snapshot that the last one had on disk. */
function isResumed(before: ConsumerRecord, now: ConsumerRecord): boolean {
  const sameGeneration = (now.generation ?? before.generation) === before.generation;
  return now.isStart === true && sameGeneration && now.version === before.version;
}

/**
 * Of a record whose generation had been overtaken on disk the version alone is known: it is taken for
 * that of the record before.
 */
function isLater(before: ConsumerRecord, now: ConsumerRecord): boolean {
  const generation = before.generation ?? 1;
  const next = now.generation ?? generation;
  return next > generation || (next === generation && now.version > before.version);
}

/** What was released of each scope, in order: the calls that wrote those definitions. */
function releasedBy({ transitions, definitions }: Truth): ReadonlyMap<string, readonly string[]> {
  const authors = new Map(
    definitions.map(({ scope, version, author }) => [`${scope} ${version}`, author]),
  );
  const released = groupBy(transitions, ({ scope }) => scope);
  return new Map(
    [...released].map(([scope, list]) => [
      scope,
      list.map(({ stableVersion }) => authors.get(`${scope} ${stableVersion}`) ?? ''),
    ]),
  );
}

/** A consumer may miss releases, and never runs one after a later one: a rollback is a later one. */
function checkReleased(
  own: readonly ConsumerRecord[],
  released: ReadonlyMap<string, readonly string[]>,
): Broken[] {
  let at = 0;
  let onDisk = 0;
  for (const now of own) {
    if (now.kind !== 'applied') continue;
    // What ran before without being on disk is not known to a new process.
    if (now.isStart === true) at = onDisk;
    const list = released.get(now.address) ?? [];
    while (at < list.length && list[at] !== now.writtenBy) at += 1;
    if (at === list.length) {
      const text = `${JSON.stringify(now)} was not released then: ${list.join(', ')}`;
      return [{ promise: 'consumers never go back', text }];
    }
    if (now.generation !== null) onDisk = at;
  }
  return [];
}

function checkOneTruth(records: readonly ConsumerRecord[]): Broken[] {
  const seen = new Map<string, ConsumerRecord>();
  return records.flatMap((record): Broken[] => {
    const { kind, generation, hash, address, version, writtenBy } = record;
    if (kind !== 'applied' || generation === null) return [];
    const key = `${address} ${generation} ${version}`;
    const other = seen.get(key) ?? record;
    seen.set(key, other);
    if (other.hash === hash && other.writtenBy === writtenBy) return [];
    const text = `${JSON.stringify(other)} and ${JSON.stringify(record)}`;
    return [{ promise: 'one truth', text }];
  });
}

function checkRejections(records: readonly ConsumerRecord[]): Broken[] {
  return records
    .filter(({ kind }) => kind !== 'applied')
    .map((record) => ({ promise: 'one truth', text: JSON.stringify(record) }));
}
