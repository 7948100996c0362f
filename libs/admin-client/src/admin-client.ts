import type {
  AcceptedRestoreView,
  AcceptRestoreRequest,
  RestoreView,
  AuditItem,
  ClusterView,
  ConsumersThen,
  ConsumerState,
  ConsumerPage,
  DefinitionView,
  DiffView,
  EndedRelease,
  EndedReleaseSummary,
  EffectiveView,
  HealthView,
  HistoryItem,
  MergeRequest,
  MergeView,
  Page,
  PastState,
  PreflightRequest,
  PreflightView,
  PreviewRequest,
  PresentState,
  PreviewView,
  ReleaseItem,
  ReleaseRequest,
  ReleaseSummary,
  ReleaseView,
  RolloutView,
  ScopeView,
  WebhookView,
  WrittenView,
} from '@pawl/contracts';
import {
  parseAddress,
  PREFLIGHT_LASTS,
  PREFLIGHT_MS,
  problem,
  problemDocument,
} from '@pawl/contracts';
import { readEvents } from './event-stream.js';
import type { ServerSentEvent } from './event-stream.js';
import { lost, send, sendStreaming } from './http.js';
import type { HttpOptions, Request } from './http.js';
import { ProblemError } from './problem-error.js';
import { hasCredentials } from './shown-url.js';

export interface AdminClientOptions {
  /** Base address, `http://127.0.0.1:7400`, without a user and a password. */
  readonly url: string;
  readonly actor?: string;
  /** Milliseconds until a request without an answer is given up; 30,000 unless told. */
  readonly timeoutMs?: number;
  /** Ends whatever is under way, and every later call at once. */
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
}

/** What a write expects of the newest version: `n`, `'any'` version, or `'none'`. */
export type Expect = number | 'any' | 'none';

export interface WriteOptions {
  readonly expect?: Expect;
  readonly message?: string;
  readonly idempotencyKey?: string;
}

export interface EffectiveOptions {
  /** Tell for each value which layer set it. */
  readonly explain?: boolean;
  /** As this consumer reads it, which may be a candidate of releases in stages. */
  readonly consumerId?: string;
  /** Its workload, where several have a consumer of that id. */
  readonly workload?: string;
}

export interface DiffOptions {
  /** The other address. */
  readonly with: string;
  /** Definition version of the first; the newest unless told. */
  readonly from?: number;
  /** Of the other. */
  readonly to?: number;
  /** What is read there now, with all that is inherited; without versions. */
  readonly effective?: boolean;
}

export interface PageOptions {
  readonly limit?: number;
  readonly cursor?: string;
}

export interface ChangesOptions extends PageOptions {
  /** RFC 3339, or how long ago: `30s`, `15m`, `1h`, `7d`. */
  readonly since?: string;
}

/** A JSON value, or its text when how numbers are written matters. */
export type JsonBody = { readonly text: string } | { readonly json: unknown };

/**
 * The admin REST API, typed. Every call rejects with `ProblemError` for a refusal and
 * `UnreachableError` when nobody answers. Addresses are passed as text, `acme/prod/checkout:limits`.
 */
export class AdminClient {
  readonly #http: HttpOptions;

  /** Throws a `TypeError` for an address that holds a user or a password. */
  constructor(options: AdminClientOptions) {
    if (hasCredentials(options.url)) {
      throw new TypeError('the address of a control plane holds no user and no password');
    }
    this.#http = {
      url: options.url,
      ...(options.actor === undefined ? {} : { actor: options.actor }),
      timeoutMs: options.timeoutMs ?? 30_000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      fetch: options.fetch ?? fetch,
    };
  }

  putConfig(address: string, document: JsonBody, options: WriteOptions = {}): Promise<WrittenView> {
    return this.#json({
      ...writeRequest(options),
      method: 'PUT',
      path: path('config', address),
      body: document,
    });
  }

  patchConfig(
    address: string,
    patch: { readonly kind: 'merge-patch' | 'json-patch'; readonly body: JsonBody },
    options: WriteOptions = {},
  ): Promise<WrittenView> {
    return this.#json({
      ...writeRequest(options),
      method: 'PATCH',
      path: path('config', address),
      body: patch.body,
      contentType: `application/${patch.kind}+json`,
    });
  }

  getConfig(address: string, version?: number): Promise<DefinitionView> {
    return this.#json({ method: 'GET', path: path('config', address), query: { version } });
  }

  putSchema(address: string, schema: JsonBody, options: WriteOptions = {}): Promise<WrittenView> {
    return this.#json({
      ...writeRequest(options),
      method: 'PUT',
      path: path('schema', address),
      body: schema,
    });
  }

  getSchema(address: string, version?: number): Promise<unknown> {
    return this.#json({ method: 'GET', path: path('schema', address), query: { version } });
  }

  deleteSchema(address: string, options: WriteOptions = {}): Promise<WrittenView> {
    return this.#json({
      ...writeRequest(options),
      method: 'DELETE',
      path: path('schema', address),
    });
  }

  release(
    address: string,
    request: ReleaseRequest,
    options: Pick<WriteOptions, 'idempotencyKey'> = {},
  ): Promise<ReleaseView> {
    return this.#json({
      method: 'POST',
      path: path('release', address),
      headers: { 'Idempotency-Key': options.idempotencyKey },
      body: { json: request },
    });
  }

  getRelease(address: string): Promise<ReleaseView> {
    return this.#json({ method: 'GET', path: path('release', address) });
  }

  effective(address: string, options: EffectiveOptions = {}): Promise<EffectiveView> {
    return this.#json({ method: 'GET', path: path('effective', address), query: { ...options } });
  }

  rollout(address: string): Promise<RolloutView> {
    return this.#json({ method: 'GET', path: path('rollout', address) });
  }

  /**
   * The rollout now and whenever it changes, until `signal` or the server ends it; throws
   * `UnreachableError` when the connection breaks.
   */
  async *watchRollout(address: string, signal: AbortSignal): AsyncGenerator<RolloutView> {
    for await (const event of this.#events(address, signal)) {
      if (event.event === 'rollout') yield JSON.parse(event.data) as RolloutView;
    }
  }

  async *#events(address: string, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
    const response = await sendStreaming(this.#http, {
      method: 'GET',
      path: path('rollout', address),
      headers: { Accept: 'text/event-stream' },
      signal,
    });
    if (response.body === null) return;
    try {
      yield* readEvents(response.body);
    } catch (error) {
      if (!signal.aborted) throw lost(this.#http, error);
    }
  }

  consumers(
    address: string,
    options: PageOptions & { readonly state?: ConsumerState } = {},
  ): Promise<ConsumerPage> {
    return this.#json({ method: 'GET', path: path('consumers', address), query: { ...options } });
  }

  /** What they ran at a time, RFC 3339, or so long ago: `2h`. */
  consumersThen(
    address: string,
    options: PageOptions & {
      readonly at: string;
      readonly state?: PastState;
      readonly workload?: string;
      readonly consumerId?: string;
    },
  ): Promise<ConsumersThen> {
    return this.#json({ method: 'GET', path: path('consumers', address), query: { ...options } });
  }

  history(address: string, options: PageOptions = {}): Promise<Page<HistoryItem>> {
    return this.#json({ method: 'GET', path: path('history', address), query: { ...options } });
  }

  diff(address: string, from: number, to: number): Promise<DiffView> {
    return this.#json({ method: 'GET', path: path('diff', address), query: { from, to } });
  }

  /** From the document at an address to that at another, as they were written or as they are read. */
  diffWith(address: string, options: DiffOptions): Promise<DiffView> {
    return this.#json({ method: 'GET', path: path('diff', address), query: { ...options } });
  }

  /** Merges what changed at another address onto the newest version; a conflict rejects. */
  merge(
    address: string,
    request: Omit<MergeRequest, 'dryRun'>,
    options: WriteOptions = {},
  ): Promise<WrittenView> {
    return this.#json({
      ...writeRequest(options),
      method: 'POST',
      path: path('merge', address),
      body: { json: request },
    });
  }

  /** What that would write, and every conflict; writes nothing. */
  planMerge(address: string, request: Omit<MergeRequest, 'dryRun'>): Promise<MergeView> {
    const body = { json: { ...request, dryRun: true } };
    return this.#json({ method: 'POST', path: path('merge', address), body });
  }

  preview(address: string, request: PreviewRequest): Promise<PreviewView> {
    return this.#json({ method: 'POST', path: path('preview', address), body: { json: request } });
  }

  /** Asks the live consumers, which takes up to twice the request's `timeoutMs`. */
  preflight(address: string, request: PreflightRequest = {}): Promise<PreflightView> {
    return this.#json({
      method: 'POST',
      path: path('preflight', address),
      body: { json: request },
      extraMs: PREFLIGHT_LASTS * (request.timeoutMs ?? PREFLIGHT_MS.preset),
    });
  }

  scopes(options: PageOptions & { readonly prefix?: string } = {}): Promise<Page<ScopeView>> {
    return this.#json({ method: 'GET', path: '/v1/scopes', query: { ...options } });
  }

  /** Whether the process lives, and which installation it serves: answered whatever it needs is down. */
  health(): Promise<HealthView> {
    return this.#json({ method: 'GET', path: '/healthz' });
  }

  cluster(): Promise<ClusterView> {
    return this.#json({ method: 'GET', path: '/v1/cluster' });
  }

  /** What PostgreSQL lacks that was seen elsewhere. */
  restoreStatus(): Promise<RestoreView> {
    return this.#json({ method: 'GET', path: '/v1/restore' });
  }

  /** Accepts PostgreSQL as it is. May be repeated: what is accepted is not accepted twice. */
  acceptRestore(request: AcceptRestoreRequest): Promise<AcceptedRestoreView> {
    return this.#json({ method: 'POST', path: '/v1/restore/accept', body: { json: request } });
  }

  /** How the webhooks do that the settings of the node name which answers. */
  webhooks(): Promise<Page<WebhookView>> {
    return this.#json({ method: 'GET', path: '/v1/webhooks' });
  }

  /** Tries one now, by its name, with all that was set aside there, also one that is gone. */
  retryWebhook(webhook: string): Promise<WebhookView> {
    return this.#json({ method: 'POST', path: '/v1/webhooks/retry', body: { json: { webhook } } });
  }

  /** Releases in stages under way, and promotes that begin later, by address. */
  releases(
    options: PageOptions & { readonly state?: PresentState } = {},
  ): Promise<Page<ReleaseItem>> {
    return this.#json({ method: 'GET', path: '/v1/releases', query: { ...options } });
  }

  /** Releases in stages that have ended, the last first. */
  endedReleases(options: ChangesOptions = {}): Promise<Page<EndedRelease>> {
    const query = { state: 'ended', ...options };
    return this.#json({ method: 'GET', path: '/v1/releases', query });
  }

  /**
   * What a release in stages has reached, over every address and workload; of one that has ended what
   * became of it. `state` tells which.
   */
  releaseSummary(id: string): Promise<ReleaseSummary | EndedReleaseSummary> {
    return this.#json({ method: 'GET', path: `/v1/releases/${encodeURIComponent(id)}` });
  }

  /** Who changed what and why, over all addresses, newest first. */
  changes(options: ChangesOptions = {}): Promise<Page<AuditItem>> {
    return this.#json({ method: 'GET', path: '/v1/changes', query: { ...options } });
  }

  audit(options: ChangesOptions = {}): Promise<Page<AuditItem>> {
    return this.#json({ method: 'GET', path: '/v1/audit', query: { ...options } });
  }

  async #json<T>(request: Request): Promise<T> {
    const response = await send(this.#http, request);
    return (await response.json()) as T;
  }
}

/** Addresses are checked here too: a URL would quietly resolve `..` to another address. */
function path(resource: string, address: string): string {
  const parsed = parseAddress(address);
  if (!parsed.ok) {
    throw new ProblemError(problemDocument(problem('malformed-address', parsed.message)));
  }
  return `/v1/${resource}/${address}`;
}

function writeRequest(options: WriteOptions): Pick<Request, 'headers' | 'query'> {
  const { expect, message, idempotencyKey } = options;
  return {
    headers: {
      'If-Match': expect === undefined || expect === 'none' ? undefined : tag(expect),
      'If-None-Match': expect === 'none' ? '*' : undefined,
      'Idempotency-Key': idempotencyKey,
    },
    query: { message },
  };
}

function tag(expect: number | 'any'): string {
  return expect === 'any' ? '*' : `"${expect}"`;
}
