import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type { LastKnownGood } from '../applier/index.js';
import type { ProcessEnd } from './process-ends.js';
import {
  afterEnd,
  decodeTrial,
  encodeTrial,
  endClean,
  endUnclean,
  isSameRun,
  nextTrial,
} from './trial.js';
import type { Trial } from './trial.js';
import type { TrialFile } from './trial-file.js';

/** When a snapshot counts as survived, in milliseconds since it was applied. */
export interface CrashLoopLimits {
  /** Then it has settled: no end is held against it any more. */
  readonly settleMs: number;
  /** Until then an end that left no mark counts (kill -9, out of memory); at most `settleMs`. */
  readonly windowMs: number;
}

interface ScopeTrialOptions {
  readonly file: TrialFile;
  readonly limits: CrashLoopLimits;
  readonly build: string | null;
  readonly timer: Timer;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Whether the folder is still this process's. */
  readonly mayWrite: () => Promise<boolean>;
  readonly onFailure: (thrown: unknown) => void;
  /** It is no longer watched. */
  readonly onSettled: () => void;
}

/** The trial of one address: on the disk, and watched while this process runs what is on trial. */
export class ScopeTrial {
  readonly #options: ScopeTrialOptions;
  #isRead = false;
  #trial: Trial | undefined;
  #written: string | undefined;
  #writing: Promise<void> = Promise.resolve();
  #timers: readonly TimerHandle[] = [];
  /** What is on trial may not be what runs any more. */
  #isReplaced = false;

  constructor(options: ScopeTrialOptions) {
    this.#options = options;
  }

  get value(): Trial | undefined {
    return this.#trial;
  }

  /** Whether what is on trial runs in this process and has not settled. */
  get isWatched(): boolean {
    return this.#timers.length > 0;
  }

  /**
   * What the processes before have left, the record being what they kept. `isOwn`: the folder is this
   * process's, so that they are gone.
   */
  async read(
    { head, content }: Pick<LastKnownGood, 'head' | 'content'>,
    isOwn: boolean,
  ): Promise<Trial | undefined> {
    if (this.#isRead) return this.#trial;
    this.#isRead = true;
    const text = await this.#options.file.read();
    const left = text === undefined ? undefined : decodeTrial(text);
    if (left === undefined) return undefined;
    const ran = isOwn && isSameRun(left, { of: head, content: content.hash });
    this.#trial = afterEnd(left, this.#options.build, ran);
    return this.#trial;
  }

  /** A snapshot is about to run; `state`: whether an end without a mark is to count. */
  async begin(
    { head, content }: Pick<LastKnownGood, 'head' | 'content'>,
    state: 'open' | 'closed',
  ): Promise<void> {
    const { build, clock } = this.#options;
    const before = this.#trial;
    const run = { of: head, content: content.hash, build, begunAtMs: clock.wallMs(), state };
    this.#isRead = true;
    this.#isReplaced = false;
    if (before !== undefined && this.isWatched && isSameRun(before, run)) {
      this.#trial = { ...before, of: head };
    } else {
      this.#trial = nextTrial(before, run);
      this.#unwatch();
      if (this.#trial.state !== 'settled') this.#watch();
    }
    await this.write();
  }

  /** A snapshot is on its way to run: how the process ends says nothing of another that is on trial. */
  replacing({ head, content }: Pick<LastKnownGood, 'head' | 'content'>): void {
    if (this.#trial === undefined) return;
    this.#isReplaced = !isSameRun(this.#trial, { of: head, content: content.hash });
  }

  /** How the process ends is noted before this returns. */
  endNow(end: ProcessEnd): void {
    const trial = this.#trial;
    if (trial === undefined || !this.isWatched) return;
    this.#trial = this.#after(trial, end);
    this.#written = encodeTrial(this.#trial);
    this.#options.file.replaceNow(this.#written);
  }

  /** The process ends so as far as this address is concerned. */
  async close(end: Exclude<ProcessEnd, 'unclean'>): Promise<void> {
    if (this.#trial === undefined || !this.isWatched) return;
    this.#unwatch();
    this.#trial = this.#after(this.#trial, end);
    await this.write();
  }

  /** What this process leaves; told to end, or with another snapshot on its way, it has shown nothing. */
  #after(trial: Trial, end: ProcessEnd): Trial {
    if (end === 'told' || this.#isReplaced) return { ...trial, state: 'closed' };
    return end === 'clean' ? endClean(trial) : endUnclean(trial);
  }

  #watch(): void {
    this.#unwatch();
    const { timer, limits } = this.#options;
    const note = (state: 'closed' | 'settled'): void => {
      this.#become(state).catch(this.#options.onFailure);
    };
    this.#timers = [
      timer.after(limits.windowMs, () => note('closed')),
      timer.after(limits.settleMs, () => {
        this.#unwatch();
        note('settled');
        this.#options.onSettled();
      }),
    ];
  }

  #unwatch(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  async #become(state: 'closed' | 'settled'): Promise<void> {
    if (this.#trial === undefined) return;
    this.#trial = { ...this.#trial, state };
    await this.write();
  }

  /** Brings the file to what the trial is by then; one write after the other. */
  write(): Promise<void> {
    const writing = this.#writing.then(() => this.#writeNewest());
    this.#writing = writing.catch(() => undefined);
    return writing;
  }

  async #writeNewest(): Promise<void> {
    if (!(await this.#options.mayWrite())) return;
    for (;;) {
      const text = this.#text();
      if (text === undefined || text === this.#written) return;
      try {
        await this.#options.file.replace(text);
        this.#written = text;
      } catch (thrown) {
        // What was noted at once meanwhile got in its way.
        if (text === this.#text()) throw thrown;
      }
    }
  }

  #text(): string | undefined {
    return this.#trial === undefined ? undefined : encodeTrial(this.#trial);
  }
}
