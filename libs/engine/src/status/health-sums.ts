import { HEALTH_SPANS, STABLE_COHORT } from '@pawl/contracts';
import type { AddressText, HelloHealth, HelloRun } from '@pawl/contracts';
import { releasesOf } from '../sharding/cohorts.js';
import type { HealthSide, HealthSum, PacedSum } from './even-out.js';
import { HealthRoom } from './health-room.js';
import type { RoomTaker } from './health-room.js';
import type { Incarnation } from './incarnation.js';

/** One workload: the candidates of a release beside everybody else. */
export interface ComparedHealth {
  readonly candidates: HealthSide;
  readonly rest: HealthSide;
}

/** What comes in within so many milliseconds is added up as one. */
const SLICE_MS = 5_000;
/** Slices that are kept: ten minutes. */
const SLICES = 120;
/**
 * Sums that are kept in all slices together, some 250 bytes each: of many addresses and workloads the
 * oldest slices are forgotten earlier, and the newest alone takes no more than these.
 */
const MAX_SUMS = 200_000;

/**
 * Addresses of one incarnation that are remembered, as many as a heartbeat can name: one that is missing in
 * a heartbeat may be back in the next, if it is late, and is not to be counted from the start then.
 */
const MAX_ADDRESSES = 1_000;

/** An instance's pace is what it told in such a time, milliseconds, or in the one before if that is more. */
const PACE_MS = 300_000;

interface Sum extends PacedSum {
  heartbeats: number;
  requests: number;
  errors: number;
  latency: number[];
}

interface CohortSum extends Sum {
  readonly workload: string;
  readonly cohort: string;
  readonly pace: number;
}

interface Slice {
  /** Monotonic milliseconds at which it begins, divided by {@link SLICE_MS}. */
  readonly at: number;
  /** By address, then by workload, cohort and pace. */
  readonly sums: Map<AddressText, Map<string, CohortSum>>;
  count: number;
}

/** What an incarnation has said of one address, the newest span first. */
type Said = readonly HelloHealth[];

/** It has counts that it had no room to tell in the first heartbeat that was heard. */
const UNTOLD = null;

/** What is known of an incarnation at one address. */
interface Known {
  said: Said | typeof UNTOLD;
  /** Requests in the present {@link PACE_MS}, which is the so manieth, and in the one before. */
  paceAt: number;
  present: number;
  former: number;
}

/**
 * Adds up what services report of themselves, by address, workload and cohort, for the last ten minutes.
 * Heartbeats tell cumulative counts: each adds what it says more than the ones before it did, so that one
 * that is lost, late or comes twice changes nothing. What is known is what this owner heard: the first
 * heartbeat of an incarnation that has counts already is what the next ones are compared with.
 */
export class HealthSums implements RoomTaker {
  /** What each incarnation that was heard has said. */
  readonly #known = new WeakMap<Incarnation, Map<AddressText, Known>>();
  #isClosed = false;
  /** The oldest first, none of them empty. */
  #slices: Slice[] = [];
  #count = 0;

  /** `room`: of the node, which all its shards share. */
  constructor(
    private readonly room = new HealthRoom(),
    private readonly maxSums = MAX_SUMS,
  ) {}

  get oldestAt(): number {
    return this.#slices[0]?.at ?? Infinity;
  }

  forgetOldest(): number {
    const count = this.#slices.shift()?.count ?? 0;
    this.#count -= count;
    return count;
  }

  /** Forgets all, and takes nothing more: the shard is no longer this node's. */
  close(): void {
    this.#isClosed = true;
    while (this.#slices.length > 0) this.room.give(this.forgetOldest());
    this.room.leave(this);
  }

  /** Takes a heartbeat that came at this monotonic time. */
  take(incarnation: Incarnation, runs: readonly HelloRun[], nowMs: number): void {
    const before = this.#known.get(incarnation);
    const all = before ?? new Map<AddressText, Known>();
    if (before === undefined) this.#known.set(incarnation, all);
    for (const run of runs) {
      if (run.health === undefined) continue;
      const address = run.address as AddressText;
      const known = all.get(address) ?? { said: [], paceAt: 0, present: 0, former: 0 };
      if (run.health.length === 0) {
        if (before === undefined) all.set(address, { ...known, said: UNTOLD });
        continue;
      }
      all.set(address, known);
      if (before !== undefined && known.said !== UNTOLD) {
        this.#compare({ incarnation, address, nowMs }, known, {
          before: known.said,
          now: run.health,
        });
      }
      known.said = merged(known.said ?? [], run.health);
    }
    if (all.size > MAX_ADDRESSES) forgetClosed(all, runs);
  }

  /**
   * By workload, what was reported in the whole slices of the last `windowMs` at these addresses: by
   * those that run as candidates of a release, and by all others. Workloads of which nothing was
   * reported are left out. `nowMs` is monotonic time.
   */
  of(
    addresses: readonly AddressText[],
    releaseId: string,
    windowMs: number,
    nowMs: number,
  ): Map<string, ComparedHealth> {
    const byWorkload = new Map<string, Record<keyof ComparedHealth, Map<number, Sum>>>();
    const isOfRelease = new Map<string, boolean>();
    for (const { at, sums } of this.#slices) {
      if (at * SLICE_MS < nowMs - windowMs) continue;
      for (const address of addresses) {
        for (const sum of sums.get(address)?.values() ?? []) {
          const { workload, cohort, pace } = sum;
          let isCandidate = isOfRelease.get(cohort);
          if (isCandidate === undefined) {
            isCandidate = releasesOf(cohort).includes(releaseId);
            isOfRelease.set(cohort, isCandidate);
          }
          let compared = byWorkload.get(workload);
          if (compared === undefined) {
            compared = { candidates: new Map(), rest: new Map() };
            byWorkload.set(workload, compared);
          }
          const side = isCandidate ? compared.candidates : compared.rest;
          const own = side.get(pace) ?? noSum();
          add(own, sum);
          side.set(pace, own);
        }
      }
    }
    return byWorkload;
  }

  /** Adds what the spans that are told of have grown by; a span that is older than all known is late. */
  #compare(of: Origin, known: Known, said: { readonly before: Said; readonly now: Said }): void {
    const { before, now } = said;
    const newest = before[0]?.span ?? 0;
    const grown: [cohort: string, growth: HealthSum][] = [];
    for (const each of now) {
      const former = before.find(({ span }) => span === each.span);
      if (former === undefined && each.span <= newest) continue;
      const growth = former === undefined ? each : growthOf(former, each);
      if (growth !== null) grown.push([each.cohort ?? STABLE_COHORT, growth]);
    }
    const requests = grown.reduce((sum, [, growth]) => sum + growth.requests, 0);
    if (requests === 0) return;
    const pace = paceOf(known, { requests, nowMs: of.nowMs });
    for (const [cohort, growth] of grown) this.#add(of, { cohort, pace }, growth);
  }

  #add(
    { incarnation, address, nowMs }: Origin,
    { cohort, pace }: Pick<CohortSum, 'cohort' | 'pace'>,
    growth: HealthSum,
  ): void {
    if (growth.requests === 0 || this.#isClosed) return;
    const { workload } = incarnation.ref;
    const slice = this.#sliceAt(Math.floor(nowMs / SLICE_MS));
    const here = slice.sums.get(address) ?? new Map<string, CohortSum>();
    const key = `${workload} ${cohort} ${pace}`;
    let sum = here.get(key);
    if (sum === undefined) {
      if (slice.count >= this.maxSums || !this.room.take(this, slice.at)) return;
      sum = { workload, cohort, pace, ...noSum() };
      slice.sums.set(address, here.set(key, sum));
      slice.count += 1;
      this.#count += 1;
    }
    add(sum, bounded(growth));
    this.#forget(slice.at);
  }

  #sliceAt(at: number): Slice {
    const last = this.#slices.at(-1);
    if (last !== undefined && last.at >= at) return last;
    const slice: Slice = { at, sums: new Map(), count: 0 };
    this.#slices.push(slice);
    return slice;
  }

  /** Forgets slices that are too old, or too many with what is in them; never the newest. */
  #forget(newest: number): void {
    for (;;) {
      const { oldestAt } = this;
      if (oldestAt >= newest) return;
      if (oldestAt > newest - SLICES && this.#count <= this.maxSums) return;
      this.room.give(this.forgetOldest());
    }
  }
}

interface Origin {
  readonly incarnation: Incarnation;
  readonly address: AddressText;
  readonly nowMs: number;
}

function noSum(): Sum {
  return { heartbeats: 0, requests: 0, errors: 0, latency: [] };
}

function add(sum: Sum, { heartbeats, requests, errors, latency }: PacedSum): void {
  sum.heartbeats += heartbeats;
  sum.requests += requests;
  sum.errors += errors;
  for (let bucket = 0; bucket < latency.length; bucket += 1) {
    sum.latency[bucket] = (sum.latency[bucket] ?? 0) + (latency[bucket] ?? 0);
  }
}

/** No more requests fail, or tell how long they took, than there were. */
function bounded({ requests, errors, latency }: HealthSum): PacedSum {
  const timed = latency.reduce((all, count) => all + count, 0);
  const part = Math.min(1, requests / timed);
  return {
    ...{ heartbeats: 1, requests, errors: Math.min(errors, requests) },
    latency: part === 1 ? latency : latency.map((count) => count * part),
  };
}

/** The power of four of what an instance tells in {@link PACE_MS}, with what it has just told. */
function paceOf(
  known: Known,
  { requests, nowMs }: { readonly requests: number; readonly nowMs: number },
): number {
  const at = Math.floor(nowMs / PACE_MS);
  if (at !== known.paceAt) {
    known.former = at === known.paceAt + 1 ? known.present : 0;
    known.present = 0;
    known.paceAt = at;
  }
  known.present += requests;
  return Math.floor(Math.log2(Math.max(known.present, known.former)) / 2);
}

function newestFirst(health: readonly HelloHealth[]): Said {
  return health.length < 2 ? health : [...health].sort((a, b) => b.span - a.span);
}

/** What is known of the newest spans once `now` was heard too; of each, the higher counts. */
function merged(before: Said, now: Said): Said {
  const spans = [...before];
  for (const each of now) {
    const index = spans.findIndex(({ span }) => span === each.span);
    if (index < 0) spans.push(each);
    else if (growthOf(spans[index]!, each) !== null) spans[index] = each;
  }
  return newestFirst(spans).slice(0, HEALTH_SPANS);
}

/** What a span says now beyond what is known; `null`: it says less, and so was said before. */
function growthOf(known: HelloHealth, now: HelloHealth): HealthSum | null {
  const requests = now.requests - known.requests;
  const errors = now.errors - known.errors;
  if (requests < 0 || errors < 0) return null;
  const buckets = Math.max(known.latency.length, now.latency.length);
  const latency: number[] = [];
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const growth = (now.latency[bucket] ?? 0) - (known.latency[bucket] ?? 0);
    if (growth < 0) return null;
    latency.push(growth);
  }
  return { requests, errors, latency };
}

function forgetClosed(said: Map<AddressText, unknown>, runs: readonly HelloRun[]): void {
  const open = new Set<string>(runs.map(({ address }) => address));
  for (const address of said.keys()) if (!open.has(address)) said.delete(address);
}
