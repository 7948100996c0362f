import { setTimeout as delay } from 'node:timers/promises';
import { canonicalize } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { seededRng, type Rng } from '@pawl/kernel';
import type { Truth } from '../world/read-truth.js';
import type { World } from '../world/world.js';
import { ask } from './ask.js';
import { isAcknowledged, type Call, type CallOutcome, type CallRequest } from './call.js';

export interface TrafficOptions {
  readonly scopes: readonly string[];
  /** Where the nodes are now. */
  readonly urls: () => readonly string[];
  readonly writers: number;
  /** Mean pause between two calls of a writer, milliseconds. */
  readonly pauseMs: number;
}

const WRITERS = 8;
const PAUSE_MS = 100;
const CALL_DEADLINE_MS = 6_000;
/** Of a call with an idempotency key, all attempts together. */
const KEYED_DEADLINE_MS = 20_000;
const AGAIN_AFTER_MS = 100;
/** A node that has not answered for so long is not asked, as long as others answer. */
const SLOW_MS = 1_000;

interface Wish {
  readonly writer: string;
  readonly scope: string;
  readonly request: CallRequest;
  /** The node to ask; null: any. */
  readonly at?: string | null;
}

/** What writers believe of a scope: the newest that any of them was told. */
interface Belief {
  version: number;
  releaseVersion: number;
  stableVersion: number;
}

/** Writers that race on the same scopes through random nodes; every call is recorded. */
export class Traffic {
  readonly calls: Call[] = [];
  readonly #beliefs = new Map<string, Belief>();
  readonly #running: Promise<void>[] = [];
  readonly #pending = new Set<{ readonly url: string; readonly at: number }>();
  #stop: AbortController | null = null;
  #made = 0;
  #acknowledged = 0;

  constructor(private readonly options: TrafficOptions) {}

  /** Eight writers on all scopes and nodes of a world. */
  static of({ scopes, ids, cluster }: World): Traffic {
    const urls = () => ids.map((id) => cluster.node(id).url);
    return new Traffic({ scopes, urls, writers: WRITERS, pauseMs: PAUSE_MS });
  }

  /** How many writes were acknowledged until now. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Gives every scope its first definition and releases it. */
  async found(rng: Rng): Promise<void> {
    for (const scope of this.options.scopes) {
      this.#beliefs.set(scope, { version: 0, releaseVersion: 0, stableVersion: 0 });
      const put = { kind: 'put', expected: 0, keyed: true } as const;
      const promote = { kind: 'promote', target: 1, expected: 0 } as const;
      for (const request of [put, promote]) {
        const { outcome } = await this.#perform(rng, { writer: 'founder', scope, request });
        if (outcome.kind !== 'definition' && outcome.kind !== 'release') {
          throw new Error(`${scope} was not founded: ${JSON.stringify(outcome)}`);
        }
      }
    }
  }

  resume(rng: Rng): void {
    if (this.#stop !== null) return;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    for (let at = 0; at < this.options.writers; at += 1) {
      this.#running.push(this.#run(`writer-${at + 1}`, seededRng(rng.below(2 ** 31)), signal));
    }
  }

  /** Resolves when no call is under way any more. */
  async quiesce(): Promise<void> {
    this.#stop?.abort();
    this.#stop = null;
    await Promise.all(this.#running.splice(0));
  }

  /** One call by an operator, who is not of the writers; to the node at `at`, if that is named. */
  async once(
    rng: Rng,
    scope: string,
    request: CallRequest,
    at: string | null = null,
  ): Promise<Call> {
    return this.#perform(rng, { writer: 'operator', scope, request, at });
  }

  /** Forgets what is not so any more, after an older copy was restored. */
  relearn({ definitions, releases }: Truth): void {
    for (const { scope, releaseVersion, stableVersion } of releases) {
      this.#beliefs.set(scope, { version: 0, releaseVersion, stableVersion: stableVersion ?? 0 });
    }
    for (const { scope, version } of definitions) this.#belief(scope).version = version;
  }

  /** What the writers believe is released there. */
  stableVersion(scope: string): number {
    return this.#belief(scope).stableVersion;
  }

  async #run(writer: string, rng: Rng, signal: AbortSignal): Promise<void> {
    const { scopes, pauseMs } = this.options;
    while (!signal.aborted) {
      const scope = scopes[rng.below(scopes.length)] ?? '';
      await this.#perform(rng, { writer, scope, request: this.#next(rng, scope) });
      await delay(rng.below(2 * pauseMs), undefined, { signal }).catch(() => undefined);
    }
  }

  #next(rng: Rng, scope: string): CallRequest {
    const { version, releaseVersion, stableVersion } = this.#belief(scope);
    const chance = rng.below(100);
    const expected = rng.below(2) === 0 ? releaseVersion : null;
    if (chance < 25) return { kind: 'put', expected: version, keyed: rng.below(2) === 0 };
    if (chance < 40) return { kind: 'put', expected: null, keyed: true };
    if (chance < 55) return { kind: 'promote', target: version, expected };
    if (chance < 62) return { kind: 'promote', target: null, expected };
    if (chance < 70 && stableVersion > 1) {
      const target = Math.max(1, stableVersion - 1 - rng.below(3));
      return { kind: 'rollback', target, expected };
    }
    return { kind: chance < 85 ? 'get-config' : 'get-release' };
  }

  async #perform(rng: Rng, { writer, scope, request, at = null }: Wish): Promise<Call> {
    this.#made += 1;
    const id = `${writer}-${this.#made}`;
    const body = canonicalize({ by: id, text: 'a configuration of ordinary size', n: this.#made });
    const calledAt = performance.now();
    const { outcome, attempts } = await this.#send(rng, { scope, request, id, body, at });
    const hash = request.kind === 'put' ? sha256(body) : null;
    const returnedAt = performance.now();
    const call = { id, writer, scope, request, hash, calledAt, returnedAt, outcome, attempts };
    this.calls.push(call);
    if (isAcknowledged(call)) this.#acknowledged += 1;
    this.#learn(call);
    return call;
  }

  /** To a node by chance unless one is named; with a key, again until there is a clear answer. */
  async #send(
    rng: Rng,
    what: { scope: string; request: CallRequest; id: string; body: string; at: string | null },
  ): Promise<{ outcome: CallOutcome; attempts: number }> {
    const again = what.request.kind === 'put' && what.request.keyed;
    const until = performance.now() + KEYED_DEADLINE_MS;
    let open: CallOutcome | null = null;
    for (let attempts = 1; ; attempts += 1) {
      const url = what.at ?? this.#choose(rng);
      const asked = { url, at: performance.now() };
      this.#pending.add(asked);
      const outcome = await ask({ ...what, url, deadlineMs: CALL_DEADLINE_MS });
      this.#pending.delete(asked);
      if (outcome.kind === 'unknown') open ??= outcome;
      if (isClear(outcome, open)) return { outcome, attempts };
      if (!again || performance.now() > until) return { outcome: open ?? outcome, attempts };
      await delay(AGAIN_AFTER_MS);
    }
  }

  /** One by chance of those that do not keep others waiting; of all, where all do. */
  #choose(rng: Rng): string {
    const before = performance.now() - SLOW_MS;
    const slow = new Set([...this.#pending].filter(({ at }) => at < before).map(({ url }) => url));
    const urls = this.options.urls();
    const quick = urls.filter((url) => !slow.has(url));
    const from = quick.length > 0 ? quick : urls;
    return from[rng.below(from.length)] ?? '';
  }

  #belief(scope: string): Belief {
    const belief = this.#beliefs.get(scope);
    if (belief === undefined) throw new Error(`${scope} was not founded`);
    return belief;
  }

  #learn({ scope, outcome, request }: Call): void {
    const belief = this.#belief(scope);
    if (outcome.kind === 'definition') belief.version = Math.max(belief.version, outcome.version);
    if (outcome.kind === 'release' && outcome.releaseVersion >= belief.releaseVersion) {
      belief.releaseVersion = outcome.releaseVersion;
      belief.stableVersion = outcome.stableVersion ?? 0;
    }
    if (outcome.kind !== 'refused' || outcome.current === null) return;
    if (request.kind === 'put') belief.version = Math.max(belief.version, outcome.current);
    else belief.releaseVersion = Math.max(belief.releaseVersion, outcome.current);
  }
}

/** A shard that is read-only does not tell what becomes of an attempt that is still on its way. */
function isClear(outcome: CallOutcome, open: CallOutcome | null): boolean {
  if (outcome.kind === 'unknown' || outcome.kind === 'failed') return false;
  return open === null || outcome.kind !== 'refused' || outcome.code !== 'truth-behind';
}
