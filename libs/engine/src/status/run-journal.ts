import type { AddressText } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { PublishedSnapshot } from '../sharding/root-tree.js';
import type { Incarnation, Run } from './incarnation.js';
import type { PublishedRecord, RunRecord } from './status-store.port.js';

/** What waits to be saved at most, some fleet's several changes each; the oldest go first. */
const MAX_WAITING = 200_000;
/** What was noted later than now by more is of a clock that was ahead. */
const AHEAD_MS = 1_000;
/** What is kept of why something was rejected. */
const REASON_CHARACTERS = 512;

/** What waits to be saved. */
export interface Journal {
  readonly runs: readonly RunRecord[];
  readonly published: readonly PublishedRecord[];
}

/** Remembers what incarnations begin to run, reject and leave, until it is saved; see {@link RunRecord}. */
export class RunJournal {
  #runs: RunRecord[] = [];
  #published: PublishedRecord[] = [];
  /** Of each address, what was noted last as published. */
  readonly #newest = new Map<AddressText, string>();

  constructor(private readonly context: EngineContext) {}

  /**
   * From `atMs`, wall time, or what was noted last of it, an incarnation is as `run` says. What was noted of
   * a time to come, by a clock that was ahead, holds nothing up, and is said anew of that time.
   */
  note(
    { ref: { workload, consumerId }, id, left }: Incarnation,
    address: AddressText,
    { run, atMs, closed = false }: { run: Run; atMs: number; closed?: boolean },
  ): void {
    const nowMs = Math.round(this.context.clock.wallMs());
    if (run.notedMs > nowMs + AHEAD_MS) {
      run.aheadMs = Math.max(run.aheadMs, run.notedMs);
      run.notedMs = nowMs;
    } else run.notedMs = Math.max(Math.round(atMs), run.notedMs + 1);
    if (run.aheadMs <= run.notedMs) run.aheadMs = 0;
    const { generation, version, cohort, hash, rejected, notedMs, aheadMs } = run;
    const record = {
      ...{ address, workload, consumerId, incarnation: id },
      at: this.context.formatTime(notedMs),
      ...{ generation, version, cohort, hash },
      rejectedVersion: rejected?.version ?? null,
      reason: rejected === null ? null : rejected.reason.slice(0, REASON_CHARACTERS),
      left: left || closed,
    };
    this.#add(this.#runs, record);
    if (aheadMs > 0) this.#add(this.#runs, { ...record, at: this.context.formatTime(aheadMs) });
  }

  /** What is published at an address that a consumer has open. */
  published(address: AddressText, { generation, version, at }: PublishedSnapshot): void {
    const name = `${generation} ${version}`;
    if (this.#newest.get(address) === name) return;
    this.#newest.set(address, name);
    this.#add(this.#published, { address, at, generation, version });
  }

  /** An address that nobody has open any more. */
  forget(address: AddressText): void {
    this.#newest.delete(address);
  }

  /** Takes what waits. */
  take(): Journal {
    const taken = { runs: this.#runs, published: this.#published };
    this.#runs = [];
    this.#published = [];
    return taken;
  }

  /** What could not be saved waits again, before what has come since. */
  putBack({ runs, published }: Journal): void {
    this.#runs = [...runs, ...this.#runs].slice(-MAX_WAITING);
    this.#published = [...published, ...this.#published].slice(-MAX_WAITING);
  }

  #add<T>(waiting: T[], record: T): void {
    waiting.push(record);
    if (waiting.length > 2 * MAX_WAITING) waiting.splice(0, MAX_WAITING);
  }
}
