import { parseAddress } from '@pawl/contracts';
import type { Address, Subjects } from '@pawl/contracts';
import { InstallationPin } from '../applier/index.js';
import type { Capabilities } from '../capabilities.js';
import { asPawlError, PawlError } from '../errors.js';
import type { LinkState } from '../ports.js';
import { ScopeHandle } from '../scope/scope-handle.js';
import { NOTHING_KEPT, ScopeRunner } from '../scope/scope-runner.js';
import type { Kept } from '../scope/scope-runner.js';
import { settleWithin } from '../scope/settle-within.js';
import type { OpenOptions, Pawl, Scope, Validate } from '../types.js';
import { fitsHello } from './hello-message.js';
import type { Identity } from './identity.js';
import { RootSession } from './root-session.js';
import type { SessionScope } from './root-session.js';
import { waitForStart } from './wait-for-start.js';

export interface ClientOptions {
  readonly installation: string;
  readonly subjects: Subjects;
  readonly identity: Identity;
  /** `undefined`: the last segment of the first scope opened. */
  readonly workload: string | undefined;
  readonly openTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly validateTimeoutMs: number;
  readonly staleAfterMs: number;
  readonly ackWindowMs: number;
}

interface OpenScope {
  readonly runner: ScopeRunner;
  readonly handle: ScopeHandle<unknown>;
  readonly validate: Validate<unknown> | undefined;
  readonly opened: Promise<Scope<unknown>>;
}

/** Problems from before the first scope, kept for it. */
const EARLY_PROBLEMS = 16;
const CACHE_LOAD_TIMEOUT_MS = 2_000;
const FLUSH_TIMEOUT_MS = 1_000;
const DISCONNECT_TIMEOUT_MS = 400;
const CACHE_CLOSE_TIMEOUT_MS = 400;

/** One consumer process over whatever capabilities it is handed. */
export class PawlClient implements Pawl {
  readonly #options: ClientOptions;
  readonly #capabilities: Capabilities;
  readonly #installation: InstallationPin;
  readonly #scopes = new Map<string, OpenScope>();
  readonly #roots = new Map<string, RootSession>();
  readonly #closing = new AbortController();
  #early: readonly PawlError[] = [];
  #workload: string | undefined;
  #wasUp = false;
  #closed: Promise<void> | null = null;

  constructor(options: ClientOptions, capabilities: Capabilities) {
    this.#options = options;
    this.#capabilities = capabilities;
    this.#installation = new InstallationPin(options.installation);
    this.#workload = options.workload;
    this.#wasUp = capabilities.link.state === 'up';
    capabilities.link.onState((state) => this.#onLinkState(state));
    capabilities.link.onProblem((problem) => this.report(problem));
  }

  async open<T>(addressText: string, options: OpenOptions<T> = {}): Promise<Scope<T>> {
    if (this.#closed !== null) throw new PawlError('closed', 'this Pawl is closed');
    const parsed = parseAddress(String(addressText));
    if (!parsed.ok) {
      const message = `${JSON.stringify(addressText)} is not an address: ${parsed.message}`;
      throw new PawlError('bad-address', message);
    }
    checkOpenOptions(options);
    const validate = options.validate as Validate<unknown> | undefined;
    const there = this.#scopes.get(parsed.address.text);
    if (there === undefined) return this.#start(parsed.address, options) as Promise<Scope<T>>;
    if (validate !== undefined && validate !== there.validate) {
      const message = `${parsed.address.text} is open already, with another validate`;
      throw new PawlError('already-open', message);
    }
    return there.opened as Promise<Scope<T>>;
  }

  /** Tells every open scope, or the first one that will be opened. */
  report(problem: PawlError): void {
    if (this.#scopes.size === 0) this.#early = [...this.#early.slice(1 - EARLY_PROBLEMS), problem];
    for (const { handle } of this.#scopes.values()) handle.events.emit('error', problem);
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  #start<T>(address: Address, options: OpenOptions<T>): Promise<Scope<unknown>> {
    const session = this.#sessionOf(address);
    const below = this.#openBelow(address.root);
    if (!fitsHello(this.#options.identity, [...below, address.text])) {
      const message =
        `${below.length} addresses are open below "${address.root}": ` +
        'a heartbeat, which names all below one root, has no room for another';
      return Promise.reject(new PawlError('too-many-scopes', message));
    }
    const handle = new ScopeHandle<unknown>(address.text, this.#capabilities.clock);
    for (const problem of this.#early) handle.events.emit('error', problem);
    this.#early = [];
    const validate = options.validate as Validate<unknown> | undefined;
    const runner = new ScopeRunner({
      address,
      handle,
      validate,
      subjects: this.#options.subjects,
      installation: this.#installation,
      consumer: { workload: session.workload, labels: this.#options.identity.labels },
      incarnation: this.#options.identity.incarnation,
      build: this.#options.identity.build,
      capabilities: this.#capabilities,
      validateTimeoutMs: this.#options.validateTimeoutMs,
      spreadMs: () => session.spreadMs(),
      reports: session,
    });
    const opened = this.#run(address, session, { runner, handle, options });
    this.#scopes.set(address.text, { runner, handle, validate, opened });
    return opened;
  }

  /**
   * The file is taken before anything else is heard, so that nothing is judged without it; a disk that
   * is late is not waited for, and taken when it comes.
   */
  async #run<T>(
    address: Address,
    session: RootSession,
    { runner, handle, options }: SessionScope & { readonly options: OpenOptions<T> },
  ): Promise<Scope<unknown>> {
    const loading = this.#load(address, handle);
    const loaded = await settleWithin(
      loading,
      this.#capabilities.foreground,
      CACHE_LOAD_TIMEOUT_MS,
    );
    if (loaded.kind === 'value') runner.start(loaded.value);
    else {
      const message = `the cache folder did not answer within ${CACHE_LOAD_TIMEOUT_MS} ms`;
      handle.events.emit('error', new PawlError('cache-unavailable', message));
      runner.startBefore(loading);
    }
    session.add(address, { runner, handle });
    try {
      await waitForStart(runner, {
        capabilities: this.#capabilities,
        openTimeoutMs: options.openTimeoutMs ?? this.#options.openTimeoutMs,
        startTimeoutMs: options.startTimeoutMs ?? this.#options.startTimeoutMs,
        closing: this.#closing.signal,
      });
      return handle;
    } catch (thrown) {
      this.#forget(address, runner);
      throw thrown;
    }
  }

  /** Never rejects: a file that cannot be used is told as a problem. */
  async #load(address: Address, handle: ScopeHandle<unknown>): Promise<Kept> {
    const cache = await this.#capabilities.cache;
    if (cache === undefined) return NOTHING_KEPT;
    try {
      return { cache, record: await cache.load(address) };
    } catch (thrown) {
      handle.events.emit('error', asPawlError(thrown, 'cache-corrupt'));
      return { cache, record: undefined };
    }
  }

  #openBelow(root: string): readonly string[] {
    return [...this.#scopes.keys()].filter((text) => text.split(/[/:]/, 1)[0] === root);
  }

  #forget(address: Address, runner: ScopeRunner): void {
    runner.stop();
    this.#scopes.delete(address.text);
    this.#roots.get(address.root)?.remove(address);
  }

  #sessionOf(address: Address): RootSession {
    const there = this.#roots.get(address.root);
    if (there !== undefined) return there;
    this.#workload ??= address.segments.at(-1) ?? address.root;
    const session = new RootSession({
      root: address.root,
      workload: this.#workload,
      identity: this.#options.identity,
      subjects: this.#options.subjects,
      installation: this.#installation,
      capabilities: this.#capabilities,
      staleAfterMs: this.#options.staleAfterMs,
      ackWindowMs: this.#options.ackWindowMs,
    });
    this.#roots.set(address.root, session);
    return session;
  }

  /** The first connection reads at once; after a reconnect a fleet spreads its reads. */
  #onLinkState(state: LinkState): void {
    if (state !== 'up' || this.#closed !== null) return;
    const again = this.#wasUp;
    this.#wasUp = true;
    for (const session of this.#roots.values()) session.linkUp(again ? session.spreadMs() : 0);
    for (const { runner, handle } of this.#scopes.values()) {
      const session = this.#roots.get(handle.address.split(/[/:]/, 1)[0] ?? '');
      runner.linkUp(again && runner.running !== null ? (session?.spreadMs() ?? 0) : 0);
    }
  }

  async #shutDown(): Promise<void> {
    this.#closing.abort();
    for (const session of this.#roots.values()) session.close();
    for (const { runner } of this.#scopes.values()) runner.stop();
    const { link, foreground } = this.#capabilities;
    if (link.state === 'up') await settleWithin(link.flush(), foreground, FLUSH_TIMEOUT_MS);
    await settleWithin(link.close(), foreground, DISCONNECT_TIMEOUT_MS);
    const closingCache = this.#capabilities.cache.then((cache) => cache?.close());
    await settleWithin(closingCache, foreground, CACHE_CLOSE_TIMEOUT_MS);
  }
}

function checkOpenOptions(options: OpenOptions<never>): void {
  const { validate, openTimeoutMs, startTimeoutMs } = options;
  if (validate !== undefined && typeof validate !== 'function') {
    throw new PawlError('bad-options', '"validate" is not a function');
  }
  for (const [name, value] of Object.entries({ openTimeoutMs, startTimeoutMs })) {
    if (value === undefined || (Number.isFinite(value) && value >= 0)) continue;
    throw new PawlError('bad-options', `"${name}" is not a number of milliseconds`);
  }
}
