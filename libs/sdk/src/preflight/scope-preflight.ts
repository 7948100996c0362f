import type { Timer, TimerHandle } from '@pawl/kernel';
import type { Address, JsonObject, Prepare, Subjects, VoteItem } from '@pawl/contracts';
import { adoptInline } from '../applier/index.js';
import type { InstallationPin, VariantContent } from '../applier/index.js';
import type { Capabilities } from '../capabilities.js';
import type { PawlErrorCode } from '../errors.js';
import { decodeMessage } from '../nats/decode-message.js';
import { ContentFetcher } from '../scope/content-fetcher.js';
import { reasonOf, runValidate } from '../scope/run-validate.js';
import type { Validated } from '../scope/run-validate.js';
import type { Validate } from '../types.js';
import { pointerIn } from './pointer-in.js';

export interface ScopePreflightOptions {
  readonly address: Address;
  readonly subjects: Subjects;
  readonly installation: InstallationPin;
  readonly workload: string;
  /** Of this process. */
  readonly incarnation: string;
  readonly capabilities: Pick<Capabilities, 'link' | 'background' | 'rng' | 'sha256'>;
  readonly validate: Validate<unknown> | undefined;
  readonly validateTimeoutMs: number;
  /** Takes an answer, to be sent within so many milliseconds. */
  readonly onVote: (vote: VoteItem, withinMs: number) => void;
  readonly onProblem: (code: PawlErrorCode, message: string) => void;
}

/** A document that was asked about, for when it is released. */
interface Prepared {
  readonly content: VariantContent;
  readonly document: JsonObject;
}

type Answer = Pick<VoteItem, 'verdict' | 'pointer' | 'reason'>;

/** Answers that are remembered: more than an owner asks for at a time. */
const REMEMBERED = 8;
/** Of the time to answer in, what sending may take. */
const SENDING_PART = 1 / 4;

/**
 * Answers what this process would make of a document at one address: fetches it, runs `validate` on it,
 * and votes. Nothing that runs, was acknowledged or is kept on disk changes. One preflight at a time: a
 * newer one takes the place of an older, which then cannot say. One that was answered is answered again
 * without another run of `validate`.
 */
export class ScopePreflight {
  readonly #options: ScopePreflightOptions;
  readonly #timer: Timer;
  readonly #fetcher: ContentFetcher;
  /** By preflight and hash, the newest last. */
  readonly #answered = new Map<string, VoteItem>();
  #current: Prepare | null = null;
  #cutOff: TimerHandle | null = null;
  /** What is being done for the current one, as its cut-off says it. */
  #doing = '';
  /** Of the newest preflight whose content had to be fetched. */
  #prepared: Prepared | null = null;
  #token = 0n;
  #unsubscribe: (() => void) | null = null;

  constructor(options: ScopePreflightOptions) {
    const { address, subjects, capabilities } = options;
    const { link, background: timer, rng, sha256 } = capabilities;
    this.#options = options;
    this.#timer = timer;
    this.#fetcher = new ContentFetcher({
      ...{ address, subjects, link, timer, rng, sha256 },
      onFetched: (input) => {
        if (input.kind === 'fetched') this.#fetched(input);
      },
      onMissing: () => undefined,
      // What cannot be fetched in time is told in the vote.
      onProblem: () => undefined,
    });
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
    this.#end();
    this.#prepared = null;
  }

  /** Hands out, once, a content that was fetched to be judged. */
  takeContent(hash: string): Prepared | null {
    const prepared = this.#prepared;
    if (prepared?.content.hash !== hash) return null;
    this.#prepared = null;
    return prepared;
  }

  #take(data: Uint8Array): void {
    const decoded = decodeMessage('prepare', data);
    if (!decoded.ok) return this.#options.onProblem('malformed-message', decoded.message);
    const prepare = decoded.value;
    if (!this.#isForUs(prepare)) return;
    const answered = this.#answered.get(keyOf(prepare));
    if (answered !== undefined) return this.#vote(prepare, answered);
    const current = this.#current;
    if (current !== null && keyOf(current) === keyOf(prepare)) return;
    if (current !== null) {
      this.#answer(current, cannotSay('a newer preflight took its place before it ended'));
    }
    this.#begin(prepare);
  }

  #isForUs({ address, installation, fencingToken, workload, only }: Prepare): boolean {
    const own = this.#options;
    if (address !== own.address.text || !own.installation.admits(installation)) return false;
    const token = BigInt(fencingToken);
    if (token < this.#token) return false;
    this.#token = token;
    if (workload !== undefined && workload !== own.workload) return false;
    return only === undefined || only.includes(own.incarnation);
  }

  #begin(prepare: Prepare): void {
    const { hash, size, inline, absent, version, deadlineMs } = prepare;
    this.#current = prepare;
    this.#doing = 'the document could not be fetched';
    this.#cutOff = this.#timer.after(deadlineMs, () => this.#late(prepare));
    if (absent === true) return this.#answer(prepare, { verdict: 'accept' });
    if (inline !== undefined) {
      const { sha256 } = this.#options.capabilities;
      const adopted = adoptInline(inline as JsonObject, prepare, sha256);
      if (adopted.ok) return this.#judge(prepare, adopted.document);
      return this.#answer(prepare, cannotSay(`the document ${adopted.message}`));
    }
    const prepared = this.#prepared;
    if (prepared?.content.hash === hash) return this.#judge(prepare, prepared.document);
    this.#fetcher.fetch({ kind: 'fetch', job: 0, version, hash, size });
  }

  #fetched({ content, document }: Prepared): void {
    const prepare = this.#current;
    if (prepare?.hash !== content.hash) return;
    this.#prepared = { content, document };
    this.#judge(prepare, document);
  }

  #judge(prepare: Prepare, document: JsonObject): void {
    const { version, deadlineMs } = prepare;
    this.#doing = 'validate did not end';
    const ms = Math.min(this.#options.validateTimeoutMs, deadlineMs);
    const within = { timer: this.#timer, ms };
    runValidate(this.#options.validate, { document, version }, within, (how) =>
      this.#answer(prepare, answerTo(how, ms)),
    );
  }

  #late(prepare: Prepare): void {
    this.#answer(prepare, cannotSay(`${this.#doing} within ${prepare.deadlineMs} ms`));
  }

  /** Late answers of a preflight that was given up are dropped. */
  #answer(prepare: Prepare, answer: Answer): void {
    if (this.#current !== prepare) return;
    this.#end();
    const { id, address, hash } = prepare;
    const vote: VoteItem = { id, address, hash, ...answer };
    this.#answered.set(keyOf(prepare), vote);
    const [oldest] = this.#answered.keys();
    if (this.#answered.size > REMEMBERED && oldest !== undefined) this.#answered.delete(oldest);
    this.#vote(prepare, vote);
  }

  #end(): void {
    this.#current = null;
    this.#cutOff?.cancel();
    this.#cutOff = null;
    this.#fetcher.stop();
  }

  #vote({ deadlineMs }: Prepare, vote: VoteItem): void {
    if (this.#unsubscribe !== null) this.#options.onVote(vote, deadlineMs * SENDING_PART);
  }
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
