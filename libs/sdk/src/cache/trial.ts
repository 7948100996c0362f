import { helloSchema, snapshotSchema } from '@pawl/contracts';
import { compileShape } from '@pawl/contracts/validate';
import { isSameName } from '../applier/index.js';
import type { SnapshotName } from '../applier/index.js';

/** Unclean ends after which a snapshot that has not settled is not run again. */
export const UNCLEAN_ENDS = 2;

/** Clean ends, one after the other, after which a snapshot is one to go back to, though none let it settle. */
const CLEAN_ENDS = 3;

/** How long an unclean end is remembered, milliseconds by the wall clock. */
export const REMEMBERED_MS = 3_600_000;

/** What is known of a scope's newest snapshot: whether the processes that ran it stayed alive. */
export interface Trial {
  readonly of: SnapshotName;
  /** Hash of its content, which is what is on trial: the same as another version is judged already. */
  readonly content?: string | undefined;
  /** Hash of the content before it that had settled last. */
  readonly settledBefore?: string | undefined;
  /** Of the service; what one build does not survive another may. */
  readonly build: string | null;
  readonly uncleanEnds: number;
  /** Processes that ran it and ended well, and by themselves, since then; missing: none. */
  readonly cleanEnds?: number | undefined;
  /** Wall time, milliseconds, at which it began to run in the newest process; missing: not known. */
  readonly begunAtMs?: number | undefined;
  /** When the process that ended uncleanly last had begun to run it, so. */
  readonly endedAtMs?: number | undefined;
  /**
   * `open`: it runs since a moment ago, and an end without a mark counts as unclean; `closed`: only an
   * end that is marked as unclean counts; `settled`: none does any more.
   */
  readonly state: 'open' | 'closed' | 'settled';
}

const { generation, version, hash } = snapshotSchema.properties;
const faultsOf = compileShape({
  type: 'object',
  required: ['of', 'build', 'uncleanEnds', 'state'],
  properties: {
    of: {
      type: 'object',
      required: ['generation', 'version', 'hash'],
      properties: {
        ...{ generation, version, hash },
        cohort: { type: 'string' },
        identity: {
          type: 'object',
          required: ['workload', 'slot', 'labels'],
          properties: {
            workload: { type: 'string' },
            slot: { type: ['integer', 'null'], minimum: 0 },
            labels: helloSchema.properties.labels,
          },
        },
      },
    },
    content: hash,
    settledBefore: hash,
    build: { type: ['string', 'null'] },
    uncleanEnds: { type: 'integer', minimum: 0 },
    cleanEnds: { type: 'integer', minimum: 0 },
    begunAtMs: { type: 'number' },
    endedAtMs: { type: 'number' },
    state: { enum: ['open', 'closed', 'settled'] },
  },
});

export function encodeTrial({ of, ...rest }: Trial): string {
  const { generation, version, hash, cohort, identity } = of;
  return JSON.stringify({ of: { generation, version, hash, cohort, identity }, ...rest });
}

/** `undefined` for what is no trial: then nothing is known, and nothing is held against anybody. */
export function decodeTrial(text: string): Trial | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return faultsOf(value).length === 0 ? (value as Trial) : undefined;
  } catch {
    return undefined;
  }
}

/** What the trial of a content that is about to run is, after `before`, the newest so far. */
export function nextTrial(
  before: Trial | undefined,
  run: Pick<Trial, 'of' | 'content' | 'build' | 'begunAtMs' | 'state'>,
): Trial {
  const isSame = before !== undefined && isSameRun(before, run);
  if (isSame && before.state === 'settled') return { ...before, of: run.of };
  if (isSame) return { ...before, of: run.of, begunAtMs: run.begunAtMs, state: run.state };
  const settledBefore = before?.state === 'settled' ? before.content : before?.settledBefore;
  const fresh = { ...run, settledBefore, uncleanEnds: 0 };
  // What a rollback brings back has shown before that processes survive it.
  const isSettled = settledBefore !== undefined && settledBefore === run.content;
  return isSettled ? { ...fresh, state: 'settled' } : fresh;
}

/** Whether what is on trial is what is about to run, under whatever version. */
export function isSameRun(
  trial: Pick<Trial, 'of' | 'content'>,
  run: Pick<Trial, 'of' | 'content'>,
): boolean {
  if (trial.content === undefined || run.content === undefined) {
    return isSameName(trial.of, run.of);
  }
  return trial.content === run.content;
}

/** Whether it is not to be run again. */
export function isCrashLoop({ state, uncleanEnds }: Trial): boolean {
  return state !== 'settled' && uncleanEnds >= UNCLEAN_ENDS;
}

/** Whether processes have shown that they survive it: by their life, or, short as that is, by their ends. */
export function isSurvived(trial: Trial): boolean {
  return trial.state === 'settled' || (!isCrashLoop(trial) && (trial.cleanEnds ?? 0) >= CLEAN_ENDS);
}

/**
 * What a trial is for the next process, which is of a build. `ran`: the process before ran what is on
 * trial and is gone, so that a mark that is missing counts.
 */
export function afterEnd(trial: Trial, build: string | null, ran: boolean): Trial {
  if (trial.state === 'settled') return trial;
  if (trial.build !== build) {
    return { ...trial, build, uncleanEnds: 0, cleanEnds: 0, state: 'closed' };
  }
  return ran && trial.state === 'open' ? endUnclean(trial) : { ...trial, state: 'closed' };
}

/** One more, of those that are remembered. */
export function endUnclean(trial: Trial): Trial {
  const { begunAtMs, endedAtMs } = trial;
  // Where a time is not known the end before counts.
  const sinceMs = (begunAtMs ?? 0) - (endedAtMs ?? begunAtMs ?? 0);
  const uncleanEnds = sinceMs > REMEMBERED_MS ? 1 : trial.uncleanEnds + 1;
  return { ...trial, uncleanEnds, cleanEnds: 0, endedAtMs: begunAtMs, state: 'closed' };
}

/** One more by which a process shows that it survives it. */
export function endClean(trial: Trial): Trial {
  return { ...trial, cleanEnds: (trial.cleanEnds ?? 0) + 1, state: 'closed' };
}
