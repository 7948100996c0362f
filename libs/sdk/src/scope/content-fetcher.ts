import type { Rng, Timer, TimerHandle } from '@pawl/kernel';
import type { Address, Sha256, Subjects } from '@pawl/contracts';
import { decodeContent } from '../applier/index.js';
import type { ApplierInput, FetchEffect } from '../applier/index.js';
import { Backoff } from '../backoff.js';
import type { PawlErrorCode } from '../errors.js';
import { messageOf } from '../errors.js';
import { readContent } from '../nats/read-content.js';
import type { Link } from '../ports.js';

interface FetcherOptions {
  readonly address: Address;
  readonly subjects: Subjects;
  readonly link: Link;
  readonly timer: Timer;
  readonly rng: Rng;
  readonly sha256: Sha256;
  readonly onFetched: (input: ApplierInput) => void;
  /** A content is not there or not what it should be: the stream may hold another snapshot. */
  readonly onMissing: (job: number) => void;
  readonly onProblem: (code: PawlErrorCode, message: string) => void;
}

type Attempt =
  | { readonly kind: 'fetched'; readonly input: ApplierInput }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'unusable'; readonly code: PawlErrorCode; readonly message: string };

/** Fetches the content of the applier's newest fetch, with back-off until it is there and right. */
export class ContentFetcher {
  readonly #options: FetcherOptions;
  #current: FetchEffect | null = null;
  #backoff: Backoff;
  #pending: TimerHandle | null = null;
  #reported = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#backoff = this.#freshBackoff();
  }

  /** Fetches this one from now on instead of an earlier one. */
  fetch(effect: FetchEffect): void {
    this.stop();
    this.#current = effect;
    this.#backoff = this.#freshBackoff();
    this.#reported = false;
    void this.#attempt(effect);
  }

  /** The way to the stream has just opened: do not wait for the back-off. */
  retryNow(): void {
    if (this.#current === null || this.#pending === null) return;
    this.#pending.cancel();
    this.#pending = null;
    void this.#attempt(this.#current);
  }

  stop(): void {
    this.#current = null;
    this.#pending?.cancel();
    this.#pending = null;
  }

  #freshBackoff(): Backoff {
    return new Backoff(this.#options.rng, { baseMs: 50, capMs: 5_000 });
  }

  async #attempt(effect: FetchEffect): Promise<void> {
    const attempt = await this.#fetch(effect);
    if (this.#current !== effect) return;
    if (attempt.kind === 'fetched') {
      this.stop();
      return this.#options.onFetched(attempt.input);
    }
    this.#pending = this.#options.timer.after(this.#backoff.nextMs(), () => {
      this.#pending = null;
      if (this.#current === effect) void this.#attempt(effect);
    });
    if (attempt.kind === 'unusable') this.#tell(effect.job, attempt.code, attempt.message);
  }

  #tell(job: number, code: PawlErrorCode, message: string): void {
    if (!this.#reported) this.#options.onProblem(code, message);
    this.#reported = true;
    this.#options.onMissing(job);
  }

  async #fetch(effect: FetchEffect): Promise<Attempt> {
    const { link, subjects, address, sha256 } = this.#options;
    if (link.state !== 'up') return { kind: 'unreachable' };
    const subject = subjects.content(address.root, effect.hash);
    const what = `the content ${effect.hash} of snapshot ${effect.version}`;
    let message;
    try {
      message = await link.directGet(subjects.contentStream, subject);
    } catch {
      return { kind: 'unreachable' };
    }
    if (message === undefined) {
      return {
        kind: 'unusable',
        code: 'content-missing',
        message: `${what} is not there yet; trying again`,
      };
    }
    const mismatch = (why: string): Attempt => ({
      kind: 'unusable',
      code: 'content-mismatch',
      message: `${what} ${why}; trying again`,
    });
    try {
      const decoded = decodeContent(await readContent(message), effect, sha256);
      if (!decoded.ok) return mismatch(decoded.message);
      const { content, document } = decoded;
      return { kind: 'fetched', input: { kind: 'fetched', job: effect.job, content, document } };
    } catch (thrown) {
      return mismatch(`cannot be read: ${messageOf(thrown)}`);
    }
  }
}
