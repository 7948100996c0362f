import { HEALTH_SPANS, STABLE_COHORT } from '@pawl/contracts';
import type { AddressText, HelloHealth, HelloRun } from '@pawl/contracts';
import { releasesOf } from '../sharding/cohorts.js';
import type { Incarnation } from './incarnation.js';

/** What services reported, added up. */
export interface HealthSum {
  readonly requests: number;
  readonly errors: number;
  /** Requests by latency, see `LATENCY_BOUNDS_MS`; buckets at the end may be missing. */
  readonly latency: readonly number[];
}

/** One workload: the candidates of a release beside everybody else. */
export interface ComparedHealth {
  readonly candidates: HealthSum;
  readonly rest: HealthSum;
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

interface Sum {
  requests: number;
  errors: number;
  latency: number[];
}

interface CohortSum extends Sum {
  readonly workload: string;
  readonly cohort: string;
}

interface Slice {
  /** Monotonic milliseconds at which it begins, divided by {@link SLICE_MS}. */
  readonly at: number;
  /** By address, then by workload and cohort. */
  readonly sums: Map<AddressText, Map<string, CohortSum>>;
  count: number;
}

/** What an incarnation has said of one address, the newest span first. */
type Said = readonly HelloHealth[];

/** It has counts that it had no room to tell in the first heartbeat that was heard. */
const UNTOLD = null;

/**
 * Adds up what services report of themselves, by address, workload and cohort, for the last ten minutes.
 * Heartbeats tell cumulative counts: each adds what it says more than the ones before it did, so that one
 * that is lost, late or comes twice changes nothing. What is known is what this owner heard: the first
 * heartbeat of an incarnation that has counts already is what the next ones are compared with.
 */
export class HealthSums {
  /** What each incarnation that was heard has said. */
  readonly #said = new WeakMap<Incarnation, Map<AddressText, Said | typeof UNTOLD>>();
  readonly #maxSums: number;
  /** The oldest first, none of them empty. */
  #slices: Slice[] = [];
  #count = 0;

  constructor(maxSums = MAX_SUMS) {
    this.#maxSums = maxSums;
  }

  /** Takes a heartbeat that came at this monotonic time. */
  take(incarnation: Incarnation, runs: readonly HelloRun[], nowMs: number): void {
    const known = this.#said.get(incarnation);
    const said = known ?? new Map<AddressText, Said | typeof UNTOLD>();
    if (known === undefined) this.#said.set(incarnation, said);
    for (const run of runs) {
      if (run.health === undefined) continue;
      const address = run.address as AddressText;
      const before = said.get(address);
      if (run.health.length === 0) {
        if (known === undefined) said.set(address, UNTOLD);
        continue;
      }
      if (known !== undefined && before !== UNTOLD) {
        this.#compare({ incarnation, address, nowMs }, before ?? [], run.health);
      }
      said.set(address, merged(before ?? [], run.health));
    }
    if (said.size > MAX_ADDRESSES) forgetClosed(said, runs);
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
    const byWorkload = new Map<string, { candidates: Sum; rest: Sum }>();
    const isOfRelease = new Map<string, boolean>();
    for (const { at, sums } of this.#slices) {
      if (at * SLICE_MS < nowMs - windowMs) continue;
      for (const address of addresses) {
        for (const sum of sums.get(address)?.values() ?? []) {
          const { workload, cohort } = sum;
          let isCandidate = isOfRelease.get(cohort);
          if (isCandidate === undefined) {
            isCandidate = releasesOf(cohort).includes(releaseId);
            isOfRelease.set(cohort, isCandidate);
          }
          let compared = byWorkload.get(workload);
          if (compared === undefined) {
            compared = { candidates: noSum(), rest: noSum() };
            byWorkload.set(workload, compared);
          }
          add(isCandidate ? compared.candidates : compared.rest, sum);
        }
      }
    }
    return byWorkload;
  }

  /** Adds what the spans that are told of have grown by; a span that is older than all known is late. */
  #compare(of: Origin, before: Said, now: Said): void {
    const newest = before[0]?.span ?? 0;
    for (const each of now) {
      const known = before.find(({ span }) => span === each.span);
      if (known === undefined && each.span <= newest) continue;
      const growth = known === undefined ? each : growthOf(known, each);
      if (growth !== null) this.#add(of, each.cohort ?? STABLE_COHORT, growth);
    }
  }

  #add({ incarnation, address, nowMs }: Origin, cohort: string, growth: HealthSum): void {
    if (growth.requests === 0 && growth.errors === 0) return;
    const { workload } = incarnation.ref;
    const slice = this.#sliceAt(Math.floor(nowMs / SLICE_MS));
    const here = slice.sums.get(address) ?? new Map<string, CohortSum>();
    const key = `${workload} ${cohort}`;
    let sum = here.get(key);
    if (sum === undefined) {
      if (slice.count >= this.#maxSums) return;
      sum = { workload, cohort, ...noSum() };
      slice.sums.set(address, here.set(key, sum));
      slice.count += 1;
      this.#count += 1;
    }
    add(sum, growth);
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
      const oldest = this.#slices[0];
      if (oldest === undefined || oldest.at === newest) return;
      if (oldest.at > newest - SLICES && this.#count <= this.#maxSums) return;
      this.#slices.shift();
      this.#count -= oldest.count;
    }
  }
}

interface Origin {
  readonly incarnation: Incarnation;
  readonly address: AddressText;
  readonly nowMs: number;
}

function noSum(): Sum {
  return { requests: 0, errors: 0, latency: [] };
}

function add(sum: Sum, { requests, errors, latency }: HealthSum): void {
  sum.requests += requests;
  sum.errors += errors;
  for (let bucket = 0; bucket < latency.length; bucket += 1) {
    sum.latency[bucket] = (sum.latency[bucket] ?? 0) + (latency[bucket] ?? 0);
  }
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
