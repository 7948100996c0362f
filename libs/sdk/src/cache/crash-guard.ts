import type { Clock, Timer } from '@pawl/kernel';
import type { Address, AddressText } from '@pawl/contracts';
import { isForward, isSameName } from '../applier/index.js';
import type { LastKnownGood, Restored, SnapshotName } from '../applier/index.js';
import { asPawlError, PawlError } from '../errors.js';
import type { FolderLock } from './folder-lock.js';
import type { KeptFiles } from './kept-files.js';
import type { ProcessEnd, ProcessEnds } from './process-ends.js';
import { ScopeTrial } from './scope-trial.js';
import type { CrashLoopLimits } from './scope-trial.js';
import { isCrashLoop, isSameRun, isSurvived } from './trial.js';
import type { Trial } from './trial.js';

interface CrashGuardOptions {
  readonly limits: CrashLoopLimits;
  /** The service's own version. */
  readonly build: string | undefined;
  readonly files: KeptFiles;
  /** `null`: the folder is another process's; what it says is read, and nothing noted. */
  readonly lock: FolderLock | null;
  readonly timer: Timer;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly ends: ProcessEnds;
  readonly onProblem: (problem: PawlError) => void;
}

/**
 * Keeps configuration from killing the process for good. A snapshot is on trial from the moment before
 * it runs until a process has run it for `settleMs`. When two processes ended uncleanly during that, the
 * next one starts from what was kept before it and refuses it.
 *
 * Nothing but how long an end is remembered depends on a clock, and nothing on the order in which files reach the disk: whatever a kill leaves is
 * either a trial of what is kept, or says nothing about it.
 */
export class CrashGuard {
  readonly #options: CrashGuardOptions;
  readonly #trials = new Map<AddressText, ScopeTrial>();
  #unwatch: (() => void) | null = null;
  /** The process was told to end: what becomes of it is nobody's fault. */
  #leaving = false;

  constructor(options: CrashGuardOptions) {
    this.#options = options;
  }

  /** What to start from, `kept` being what the file holds. */
  async judge(address: Address, kept: LastKnownGood): Promise<Restored> {
    const { files, lock, onProblem } = this.#options;
    const trial = await this.#trialOf(address).read(kept, lock !== null);
    if (trial === undefined || !isCrashLoop(trial)) return kept;
    const refused = { of: trial.of, reason: this.#reasonOf(trial), content: trial.content };
    if (!isSameRun(trial, { of: kept.head, content: kept.content.hash })) {
      return isForward(trial.of, kept.head) ? { ...kept, refused } : kept;
    }
    const previous = await files.readPrevious(address);
    const isOther = previous?.content.hash !== kept.content.hash;
    if (previous !== undefined && isOther && isBefore(previous, kept))
      return { ...previous, refused };
    const message = `${address.text}: ${this.#reasonOf(trial)}; nothing earlier is kept to go back to`;
    onProblem(new PawlError('crash-loop', message));
    return kept;
  }

  /**
   * A record is on its way to run: from now on what runs may be it, however late the disk is, and an end
   * says nothing of what it replaces.
   */
  replacing(record: LastKnownGood): void {
    this.#trials.get(record.address)?.replacing(record);
  }

  /** A record is about to run, and to be kept instead of `onFile`. */
  async begin(
    address: Address,
    { head, content }: LastKnownGood,
    onFile: SnapshotName | undefined,
  ): Promise<void> {
    const scope = this.#trialOf(address);
    const trial = scope.value;
    // What was gone back to is not on trial: what was refused stays so for the processes to come, which
    // find it by its count once it is no longer what is kept.
    if (trial !== undefined && isCrashLoop(trial) && isForward(trial.of, head))
      return scope.write();
    try {
      const run = { of: head, content: content.hash };
      // What is kept before stays another content than what is kept.
      const isKept = trial !== undefined && isSameRun(trial, run);
      if (onFile !== undefined && !isSameName(onFile, head) && !isKept) {
        await this.#keepPrevious(address, onFile, trial);
      }
    } finally {
      const beginning = scope.begin({ head, content }, this.#leaving ? 'closed' : 'open');
      this.#watchEnds();
      await beginning;
    }
  }

  async close(): Promise<void> {
    const end = this.#leaving ? 'told' : 'clean';
    const closing = [...this.#trials.values()].map((trial) => trial.close(end));
    this.#watchEnds();
    await Promise.allSettled(closing);
  }

  /** The newest that processes survived is what to go back to, or what there is as long as none did. */
  async #keepPrevious(
    address: Address,
    onFile: SnapshotName,
    trial: Trial | undefined,
  ): Promise<void> {
    const { files } = this.#options;
    const isOnTrial = trial !== undefined && isSameName(trial.of, onFile) && !isSurvived(trial);
    if (isOnTrial && (isCrashLoop(trial) || (await files.hasPrevious(address)))) return;
    await files.keepPrevious(address);
  }

  #watchEnds(): void {
    const isNeeded = [...this.#trials.values()].some(({ isWatched }) => isWatched);
    if (isNeeded) this.#unwatch ??= this.#options.ends.watch((end) => this.#onEnd(end));
    if (isNeeded || this.#unwatch === null) return;
    this.#unwatch();
    this.#unwatch = null;
  }

  #onEnd(end: ProcessEnd): void {
    if (this.#leaving) return;
    this.#leaving = end !== 'unclean';
    try {
      if (this.#options.lock?.isHeldNow() !== true) return;
      for (const trial of this.#trials.values()) trial.endNow(end);
    } catch {
      // The process ends and has nobody to tell; without the mark the next one goes by what is there.
    }
  }

  #trialOf(address: Address): ScopeTrial {
    const there = this.#trials.get(address.text);
    if (there !== undefined) return there;
    const { files, limits, build, timer, clock, lock, onProblem } = this.#options;
    const trial = new ScopeTrial({
      ...{ file: files.trialOf(address), limits, build: build ?? null, timer, clock },
      mayWrite: async () => lock !== null && (await lock.isHeld()),
      onFailure: (thrown) => onProblem(asPawlError(thrown, 'cache-write-failed')),
      onSettled: () => this.#watchEnds(),
    });
    this.#trials.set(address.text, trial);
    return trial;
  }

  #reasonOf({ of, uncleanEnds }: Trial): string {
    const { settleMs } = this.#options.limits;
    const within = settleMs % 1_000 === 0 ? `${settleMs / 1_000} s` : `${settleMs} ms`;
    const often = uncleanEnds === 2 ? 'twice' : `${uncleanEnds} times`;
    return `crash-loop: the process ended uncleanly ${often} within ${within} of applying version ${of.version}`;
  }
}

function isBefore(previous: LastKnownGood, kept: LastKnownGood): boolean {
  return (
    previous.head.installation === kept.head.installation && isForward(kept.head, previous.head)
  );
}
