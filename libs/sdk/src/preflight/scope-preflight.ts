import type { Timer, TimerHandle } from '@pawl/kernel';
import type { Address, JsonObject, Prepare, Subjects, VoteItem } from '@pawl/contracts';
import { adoptInline } from '../applier/index.js';
import type { InstallationPin } from '../applier/index.js';
import type { Capabilities } from '../capabilities.js';
import type { PawlErrorCode } from '../errors.js';
import { decodeMessage } from '../nats/decode-message.js';
import { ContentFetcher } from '../scope/content-fetcher.js';
import { reasonOf, runValidate } from '../scope/run-validate.js';
import type { Validated } from '../scope/run-validate.js';
import type { Validate } from '../types.js';
import type { ContentShelf } from './content-shelf.js';
import { pointerIn } from './pointer-in.js';

export interface ScopePreflightOptions {
  readonly address: Address;
  readonly subjects: Subjects;
  readonly installation: InstallationPin;
  readonly workload: string;
  readonly build: string | undefined;
  /** Of this process. */
  readonly incarnation: string;
  /** As which cohort it runs now. */
  readonly cohort: () => string;
  /** Why this process runs no such content, whatever `validate` says; `null`: it may. */
  readonly reasonAgainst: (contentHash: string) => string | null;
  readonly capabilities: Pick<Capabilities, 'link' | 'background' | 'rng' | 'sha256'>;
  readonly validate: Validate<unknown> | undefined;
  readonly validateTimeoutMs: number;
  /** Where large documents are looked for, and put once they are fetched. */
  readonly shelf: ContentShelf;
  /** Takes an answer, to be sent within so many milliseconds. */
  readonly onVote: (vote: VoteItem, withinMs: number) => void;
  readonly onProblem: (code: PawlErrorCode, message: string) => void;
}

/** One document that is being judged. */
interface Trial {
  readonly prepare: Prepare;
  /** What is being done, as its cut-off says it. */
  doing: string;
  readonly cutOff: TimerHandle;
  fetcher: ContentFetcher | null;
}

type Answer = Pick<VoteItem, 'verdict' | 'pointer' | 'reason'>;

/** Documents that are judged at a time: more than an owner asks about at one address. */
const AT_ONCE = 8;
/** Answers that are remembered. */
const REMEMBERED = 32;
/** Of the time to answer in, what sending may take where nobody is asked by name: all answer then. */
const SENDING_PART = 1 / 4;

/**
 * Answers what this process would make of a document at one address: fetches it, runs `validate` on it,
 * and votes. Nothing that runs, was acknowledged or is kept on disk changes. Several preflights are
 * answered at the same time; one that was answered is answered again without another run of `validate`.
 */
export class ScopePreflight {
  readonly #options: ScopePreflightOptions;
  readonly #timer: Timer;
  /** By preflight and hash, the newest last. */
  readonly #answered = new Map<string, VoteItem>();
  /** Those under way, by the same. */
  readonly #trials = new Map<string, Trial>();
  #token = 0n;
  #unsubscribe: (() => void) | null = null;

  constructor(options: ScopePreflightOptions) {
    this.#options = options;
    this.#timer = options.capabilities.background;
  }

  start(): void {
    const { subjects, address, capabilities } = this.#options;
    this.#unsubscribe ??= capabilities.link.subscribe(subjects.prepare(address), (data) =>
      this.#take(data),
    );
  }

  /** Nothing is answered any more. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    for (const trial of this.#trials.values()) this.#end(trial);
  }

  #take(data: Uint8Array): void {
    const decoded = decodeMessage('prepare', data);
    if (!decoded.ok) return this.#options.onProblem('malformed-message', decoded.message);
    const prepare = decoded.value;
    if (!this.#isForUs(prepare)) return;
    const key = keyOf(prepare);
    const answered = this.#answered.get(key);
    if (answered !== undefined) return this.#vote(prepare, answered);
    if (this.#trials.has(key)) return;
    if (this.#trials.size >= AT_ONCE) {
      const reason = `${AT_ONCE} other preflights were under way here`;
      return this.#vote(prepare, voteOn(prepare, cannotSay(reason)));
    }
    this.#begin(prepare);
  }

  #isForUs(prepare: Prepare): boolean {
    const { address, installation, fencingToken, workload, only, cohorts, kinds } = prepare;
    const own = this.#options;
    if (address !== own.address.text || !own.installation.admits(installation)) return false;
    const token = BigInt(fencingToken);
    if (token < this.#token) return false;
    this.#token = token;
    if (workload !== undefined && workload !== own.workload) return false;
    if (only !== undefined && !only.includes(own.incarnation)) return false;
    if (cohorts !== undefined && !cohorts.includes(own.cohort())) return false;
    const isOwn = (kind: { workload: string; build?: string | undefined }): boolean =>
      kind.workload === own.workload && kind.build === own.build;
    return kinds === undefined || kinds.some(isOwn);
  }

  #begin(prepare: Prepare): void {
    const { hash, size, inline, absent, version, deadlineMs } = prepare;
    const trial: Trial = {
      prepare,
      doing: 'the document could not be fetched',
      cutOff: this.#timer.after(deadlineMs, () => this.#late(trial)),
      fetcher: null,
    };
    this.#trials.set(keyOf(prepare), trial);
    const reason = this.#options.reasonAgainst(hash);
    if (reason !== null) return this.#answer(trial, { verdict: 'reject', reason });
    if (absent === true) return this.#answer(trial, { verdict: 'accept' });
    if (inline !== undefined) {
      const { sha256 } = this.#options.capabilities;
      const adopted = adoptInline(inline as JsonObject, prepare, sha256);
      if (adopted.ok) return this.#judge(trial, adopted.document);
      return this.#answer(trial, cannotSay(`the document ${adopted.message}`));
    }
    const known = this.#options.shelf.get(hash);
    if (known !== null) return this.#judge(trial, known.document);
    trial.fetcher = this.#fetcherFor(trial);
    trial.fetcher.fetch({ kind: 'fetch', job: 0, version, hash, size });
  }

  #fetcherFor(trial: Trial): ContentFetcher {
    const { address, subjects, capabilities, shelf } = this.#options;
    const { link, background: timer, rng, sha256 } = capabilities;
    return new ContentFetcher({
      ...{ address, subjects, link, timer, rng, sha256 },
      onFetched: (input) => {
        if (input.kind !== 'fetched' || !this.#isUnderWay(trial)) return;
        shelf.put(input.content, input.document);
        this.#judge(trial, input.document);
      },
      onMissing: () => undefined,
      // What cannot be fetched in time is told in the vote.
      onProblem: () => undefined,
    });
  }

  #judge(trial: Trial, document: JsonObject): void {
    const { version, deadlineMs } = trial.prepare;
    trial.doing = 'validate did not end';
    const ms = Math.min(this.#options.validateTimeoutMs, deadlineMs);
    const within = { timer: this.#timer, ms };
    runValidate(this.#options.validate, { document, version }, within, (how) =>
      this.#answer(trial, answerTo(how, ms)),
    );
  }

  #late(trial: Trial): void {
    this.#answer(trial, cannotSay(`${trial.doing} within ${trial.prepare.deadlineMs} ms`));
  }

  /** Late answers of a preflight that was given up are dropped. */
  #answer(trial: Trial, answer: Answer): void {
    if (!this.#isUnderWay(trial)) return;
    this.#end(trial);
    const vote = voteOn(trial.prepare, answer);
    this.#answered.set(keyOf(trial.prepare), vote);
    const [oldest] = this.#answered.keys();
    if (this.#answered.size > REMEMBERED && oldest !== undefined) this.#answered.delete(oldest);
    this.#vote(trial.prepare, vote);
  }

  #isUnderWay(trial: Trial): boolean {
    return this.#trials.get(keyOf(trial.prepare)) === trial;
  }

  #end(trial: Trial): void {
    this.#trials.delete(keyOf(trial.prepare));
    trial.cutOff.cancel();
    trial.fetcher?.stop();
  }

  /** Those who are asked by name are few, and others wait for them. */
  #vote({ deadlineMs, only }: Prepare, vote: VoteItem): void {
    const withinMs = only === undefined ? deadlineMs * SENDING_PART : 0;
    if (this.#unsubscribe !== null) this.#options.onVote(vote, withinMs);
  }
}

function voteOn({ id, address, hash }: Prepare, answer: Answer): VoteItem {
  return { id, address, hash, ...answer };
}

function answerTo(how: Validated, ms: number): Answer {
  if (how.kind === 'passed') return { verdict: 'accept' };
  if (how.kind === 'late') return cannotSay(`validate did not end within ${ms} ms`);
  const pointer = pointerIn(how.thrown);
  const where = pointer === undefined ? {} : { pointer };
  return { verdict: 'reject', ...where, reason: reasonOf(how.thrown) };
}

function cannotSay(reason: string): Answer {
  return { verdict: 'cannot-say', reason };
}

function keyOf({ id, hash }: Pick<Prepare, 'id' | 'hash'>): string {
  return `${id} ${hash}`;
}
