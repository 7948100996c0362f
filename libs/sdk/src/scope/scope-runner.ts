import { BoundedQueue } from '@pawl/kernel';
import { cohortHeld, STABLE_COHORT } from '@pawl/contracts';
import type {
  Address,
  ConsumerIdentity,
  HeldSnapshot,
  HelloRun,
  Subjects,
  VoteItem,
} from '@pawl/contracts';
import { Applier, isNewer } from '../applier/index.js';
import type {
  ApplierEffect,
  ApplierInput,
  ApplyEffect,
  FetchEffect,
  InstallationPin,
  LastKnownGood,
  Rejection,
  Restored,
  ValidateEffect,
  VersionPoint,
} from '../applier/index.js';
import type { Capabilities } from '../capabilities.js';
import { decodePush } from '../nats/decode-message.js';
import type { DecodedSnapshot } from '../nats/decode-message.js';
import { asPawlError, messageOf, PawlError } from '../errors.js';
import type { PawlErrorCode } from '../errors.js';
import type { LastKnownGoodStore } from '../ports.js';
import { ContentShelf } from '../preflight/content-shelf.js';
import { ScopePreflight } from '../preflight/scope-preflight.js';
import type { Validate } from '../types.js';
import { ContentFetcher } from './content-fetcher.js';
import type { ScopeHandle } from './scope-handle.js';
import { reasonOf, runValidate } from './run-validate.js';
import { settleWithin } from './settle-within.js';
import { SnapshotReader } from './snapshot-reader.js';

/** What a scope tells its connection. */
export interface ScopeReports {
  applied(address: Address, head: HeldSnapshot): void;
  rejected(address: Address, rejection: Rejection): void;
  /** What would be made of a document is known, and to be told within so many milliseconds. */
  voted(vote: VoteItem, withinMs: number): void;
  /** A push arrived. */
  heard(): void;
}

/** Where last-known-good records are kept, and the one that was there; `undefined`: there is none. */
export interface Kept {
  readonly cache: LastKnownGoodStore | undefined;
  readonly record: Restored | undefined;
}

export const NOTHING_KEPT: Kept = { cache: undefined, record: undefined };

interface RunnerOptions {
  readonly address: Address;
  readonly subjects: Subjects;
  readonly installation: InstallationPin;
  readonly consumer: Omit<ConsumerIdentity, 'slot'>;
  readonly incarnation: string;
  readonly build: string | undefined;
  readonly capabilities: Capabilities;
  readonly handle: ScopeHandle<unknown>;
  readonly validate: Validate<unknown> | undefined;
  readonly validateTimeoutMs: number;
  /** A delay that spreads a fleet's reads; grows with the fleet. */
  readonly spreadMs: () => number;
  readonly reports: ScopeReports;
}

/** Inputs that may wait while one is being handled; far above what one address produces. */
const WAITING_INPUTS = 256;
const STORE_TIMEOUT_MS = 5_000;

/**
 * Runs the applier of one address: carries out its effects in order, feeds their answers back, and
 * keeps one push subscription. After {@link ScopeRunner.stop} nothing is applied any more.
 */
export class ScopeRunner {
  readonly #options: RunnerOptions;
  readonly #applier: Applier;
  readonly #reader: SnapshotReader;
  readonly #fetcher: ContentFetcher;
  readonly #preflight: ScopePreflight;
  readonly #shelf = new ContentShelf();
  /** Of what runs, or is stored to be run next. */
  #toRun: { readonly hash: string; readonly size: number } | null = null;
  readonly #waiting = new BoundedQueue<ApplierInput>(WAITING_INPUTS);
  readonly #started: Promise<void>;
  #markStarted: () => void = () => undefined;
  #busy = false;
  #inRead = false;
  #readAgain = false;
  #stopped = false;
  #unsubscribe: (() => void) | null = null;
  #cache: LastKnownGoodStore | undefined;
  #isCacheLate = false;
  /** What is to be kept once the disk answers. */
  #unkept: LastKnownGood | null = null;
  #lastRejection: Rejection | null = null;

  constructor(options: RunnerOptions) {
    const { address, subjects, installation, consumer } = options;
    const { link, background: timer, rng, sha256 } = options.capabilities;
    this.#options = options;
    this.#applier = new Applier({ address: address.text, sha256, installation, consumer });
    this.#started = new Promise((resolve) => (this.#markStarted = resolve));
    const onProblem = (code: PawlErrorCode, message: string): void => this.#problem(code, message);
    const shared = { address, subjects, link, timer, rng, onProblem };
    this.#reader = new SnapshotReader({ ...shared, onRead: (found) => this.#onRead(found) });
    this.#fetcher = new ContentFetcher({
      ...shared,
      sha256,
      onFetched: (input) => this.#dispatch(input),
      onMissing: (job) => this.#dispatch({ kind: 'missing', job }),
    });
    this.#preflight = new ScopePreflight({
      ...options,
      workload: consumer.workload,
      cohort: () => this.#cohort,
      reasonAgainst: this.#applier.reasonAgainst,
      shelf: this.#shelf,
      onVote: (vote, withinMs) => options.reports.voted(vote, withinMs),
      onProblem,
    });
  }

  /** Resolves once something runs. */
  get started(): Promise<void> {
    return this.#started;
  }

  get running(): HeldSnapshot | null {
    return this.#applier.running;
  }

  /** Why nothing runs, as far as that is known. */
  get lastRejection(): Rejection | null {
    return this.#lastRejection;
  }

  /** Takes what the file held, then subscribes and reads. */
  start({ cache, record }: Kept): void {
    if (this.#stopped) return;
    this.#cache = cache;
    if (record !== undefined) this.#dispatch({ kind: 'restored', record });
    const { link } = this.#options.capabilities;
    const subject = this.#options.subjects.push(this.#options.address);
    this.#unsubscribe = link.subscribe(subject, (data) => this.#onPush(data));
    this.#preflight.start();
    if (link.state === 'up') this.linkUp(0);
  }

  /** Subscribes and reads; what the file held is taken once the disk answers, if nothing runs by then. */
  startBefore(loading: Promise<Kept>): void {
    this.#isCacheLate = true;
    this.start(NOTHING_KEPT);
    void loading.then((kept) => this.#cacheCame(kept));
  }

  /** The link is up (again): what was missed is read after `delayMs`. */
  linkUp(delayMs: number): void {
    if (this.#stopped || this.#unsubscribe === null) return;
    this.#fetcher.retryNow();
    if (delayMs > 0) return this.#reader.request(delayMs);
    void this.#flushAndRead();
  }

  /** The control plane names the newest snapshot; it is read, if need be, after `delayMs`. */
  named(point: VersionPoint, hash: string, delayMs: number): void {
    this.#dispatch({ kind: 'named', point, hash }, delayMs);
  }

  /** The owner leases this slot to the consumer; `null`: none. */
  leased(slot: number | null): void {
    this.#dispatch({ kind: 'leased', slot });
  }

  /** Nobody answered: run what the file holds, if nothing runs. */
  settle(): void {
    this.#dispatch({ kind: 'settle' });
  }

  /** As which it runs what it runs. */
  get #cohort(): string {
    const { running } = this.#applier;
    return running === null ? STABLE_COHORT : cohortHeld(running);
  }

  /** What a heartbeat says of this address. */
  runs(): HelloRun {
    const { running, rejected, highest } = this.#applier;
    const cohort = this.#cohort;
    const health = this.#options.handle.health.said();
    return {
      address: this.#options.address.text,
      generation: running?.generation ?? 0,
      version: running?.version ?? 0,
      ...(running === null ? {} : { hash: running.hash }),
      ...(cohort === STABLE_COHORT ? {} : { cohort }),
      ...(highest === null ? {} : { highestVersion: highest.version }),
      ...(rejected === null
        ? {}
        : {
            rejected: {
              generation: rejected.generation,
              version: rejected.version,
              reason: rejected.reason,
            },
          }),
      ...(health.length === 0 ? {} : { health }),
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#reader.stop();
    this.#fetcher.stop();
    this.#preflight.stop();
    this.#shelf.clear();
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  async #flushAndRead(): Promise<void> {
    try {
      await this.#options.capabilities.link.flush();
    } catch {
      return;
    }
    if (!this.#stopped) this.#reader.requestNow();
  }

  #onPush(data: Uint8Array): void {
    if (this.#stopped) return;
    const decoded = decodePush(data);
    if (!decoded.ok) return this.#problem('malformed-message', decoded.message);
    const { push, snapshot, text } = decoded.value;
    this.#options.reports.heard();
    if (snapshot !== undefined) return this.#dispatch({ kind: 'pushed', snapshot, text });
    if (push.address !== this.#options.address.text) {
      const message = `a push for ${push.address} arrived on the subject of ${this.#options.address.text}`;
      return this.#problem('malformed-message', message);
    }
    this.#dispatch({ kind: 'named', point: push, hash: push.hash });
  }

  #onRead(found: DecodedSnapshot | null): boolean {
    this.#inRead = true;
    this.#readAgain = false;
    this.#dispatch({ kind: 'read', snapshot: null, ...found });
    this.#inRead = false;
    return this.#readAgain || this.#applier.behind;
  }

  #dispatch(input: ApplierInput, readDelayMs = 0): void {
    if (this.#stopped) return;
    if (this.#busy) {
      if (!this.#waiting.push(input))
        this.#problem('malformed-message', 'too many messages at once');
      return;
    }
    this.#busy = true;
    for (let next: ApplierInput | undefined = input; next !== undefined;) {
      this.#handle(next, readDelayMs);
      next = this.#stopped ? undefined : this.#waiting.shift();
    }
    this.#busy = false;
  }

  /** Whatever goes wrong with one input, the next one is handled. */
  #handle(input: ApplierInput, readDelayMs: number): void {
    try {
      for (const effect of this.#applier.step(input)) this.#perform(effect, readDelayMs);
    } catch (thrown) {
      const message = `"${input.kind}" could not be handled: ${messageOf(thrown)}`;
      this.#report(new PawlError('malformed-message', message, { cause: thrown }));
    }
  }

  #perform(effect: ApplierEffect, readDelayMs: number): void {
    switch (effect.kind) {
      case 'fetch':
        return this.#fetch(effect);
      case 'validate':
        return this.#validate(effect);
      case 'store':
        return this.#store(effect.job, effect.record);
      case 'apply':
        return this.#apply(effect);
      case 'reject':
        return this.#reject(effect.rejection);
      case 'read':
        if (this.#inRead) this.#readAgain = true;
        else if (effect.because === 'damaged') this.#reader.request(this.#options.spreadMs());
        else this.#reader.request(readDelayMs);
        return;
      case 'report':
        return this.#problem(effect.code, effect.message);
    }
  }

  /** What was fetched to be judged beforehand, or ran a while ago, is not fetched again. */
  #fetch(effect: FetchEffect): void {
    const known = this.#shelf.get(effect.hash);
    if (known === null) return this.#fetcher.fetch(effect);
    this.#fetcher.stop();
    this.#dispatch({ kind: 'fetched', job: effect.job, ...known });
  }

  #validate({ job, document, version }: ValidateEffect): void {
    const answer = (failure: string | null): void =>
      this.#dispatch({ kind: 'validated', job, failure });
    const { validate, validateTimeoutMs, capabilities } = this.#options;
    const { background: timer } = capabilities;
    const within = { timer, ms: validateTimeoutMs };
    runValidate(validate, { document, version }, within, (how) => {
      if (how.kind === 'passed') answer(null);
      else if (how.kind === 'refused') answer(reasonOf(how.thrown));
      else answer(`validate did not end within ${validateTimeoutMs} ms`);
    });
  }

  #store(job: number, record: LastKnownGood): void {
    const { hash, size } = record.content;
    this.#toRun = { hash, size };
    const cache = this.#cache;
    if (cache !== undefined) {
      void this.#save(cache, record).then(() => this.#dispatch({ kind: 'stored', job }));
      return;
    }
    if (this.#isCacheLate) this.#unkept = record;
    this.#dispatch({ kind: 'stored', job });
  }

  /** Never rejects: what fails or is late is told as a problem. */
  async #save(cache: LastKnownGoodStore, record: LastKnownGood): Promise<void> {
    const { background } = this.#options.capabilities;
    const settled = await settleWithin(cache.save(record), background, STORE_TIMEOUT_MS);
    if (settled.kind === 'failed') this.#report(asPawlError(settled.error, 'cache-write-failed'));
    if (settled.kind === 'late') {
      this.#problem('cache-write-failed', `the disk did not answer within ${STORE_TIMEOUT_MS} ms`);
    }
  }

  #cacheCame({ cache, record }: Kept): void {
    const unkept = this.#unkept;
    this.#isCacheLate = false;
    this.#unkept = null;
    if (this.#stopped || cache === undefined) return;
    const isForeign =
      record !== undefined && !this.#options.installation.admits(record.head.installation);
    // Whoever starts next finds what another installation left, and is told of it too.
    if (!isForeign) {
      this.#cache = cache;
      // A file that is ahead stays: a later process may still need to know of it.
      const isAhead = record !== undefined && unkept !== null && isNewer(record.head, unkept.head);
      // Before what the record leads to, which may be written over it.
      if (unkept !== null && !isAhead) void this.#save(cache, unkept);
    }
    if (record !== undefined) this.#dispatch({ kind: 'restored', record });
  }

  #apply(effect: ApplyEffect): void {
    this.#lastRejection = null;
    const content = this.#toRun;
    if (content !== null && effect.document !== undefined) {
      this.#shelf.put(content, effect.document);
    }
    this.#options.handle.swap(effect);
    this.#markStarted();
    this.#options.reports.applied(this.#options.address, effect.head);
  }

  #reject(rejection: Rejection): void {
    this.#lastRejection = rejection;
    const { version, reason } = rejection;
    this.#options.handle.events.emit('rejected', { version, reason });
    this.#options.reports.rejected(this.#options.address, rejection);
  }

  #problem(code: PawlErrorCode, message: string): void {
    this.#report(new PawlError(code, message));
  }

  #report(error: PawlError): void {
    if (!this.#stopped) this.#options.handle.events.emit('error', error);
  }
}
