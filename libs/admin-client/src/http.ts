import type { ProblemDocument } from '@pawl/contracts';
import { ProblemError, UnreachableError } from './problem-error.js';
import { shownUrl } from './shown-url.js';

export interface HttpOptions {
  /** Base address, `http://127.0.0.1:7400`. */
  readonly url: string;
  /** Sent as `X-Pawl-Actor`. */
  readonly actor?: string;
  /** Milliseconds until a request without an answer is given up. */
  readonly timeoutMs: number;
  /** Ends every request. */
  readonly signal?: AbortSignal;
  readonly fetch: typeof fetch;
}

export interface Request {
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';
  /** Addresses are put in as they are. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** JSON text, or a value to make it from. */
  readonly body?: { readonly text: string } | { readonly json: unknown };
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** How much longer than others this one is waited for. */
  readonly extraMs?: number;
}

/** Sends a request; throws {@link ProblemError} for a refusal and {@link UnreachableError}. */
export async function send(options: HttpOptions, request: Request): Promise<Response> {
  const timeout = AbortSignal.timeout(options.timeoutMs + (request.extraMs ?? 0));
  const signals = [timeout, options.signal, request.signal];
  return ensureOk(await open(options, request, anyOf(signals)), options.url);
}

/** Sends a request whose answer goes on for long: only the signals end it. */
export async function sendStreaming(options: HttpOptions, request: Request): Promise<Response> {
  const signal = anyOf([options.signal, request.signal]);
  return ensureOk(await open(options, request, signal), options.url);
}

function anyOf(signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

async function open(
  options: HttpOptions,
  request: Request,
  signal: AbortSignal,
): Promise<Response> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (value !== undefined) headers.set(name, value);
  }
  if (options.actor !== undefined) headers.set('X-Pawl-Actor', utf8Bytes(options.actor));
  const { body } = request;
  if (body !== undefined) headers.set('Content-Type', request.contentType ?? 'application/json');
  try {
    return await options.fetch(urlOf(options.url, request), {
      method: request.method,
      headers,
      signal,
      ...(body === undefined
        ? {}
        : { body: 'text' in body ? body.text : JSON.stringify(body.json) }),
    });
  } catch (error) {
    throw new UnreachableError(
      `no answer from ${shownUrl(options.url)}: ${reasonOf(error)}; is the control plane running?`,
      { cause: error },
    );
  }
}

/** For an answer that broke off. */
export function lost(options: HttpOptions, error: unknown): UnreachableError {
  return new UnreachableError(
    `the answer of ${shownUrl(options.url)} broke off: ${reasonOf(error)}`,
    {
      cause: error,
    },
  );
}

/** Headers carry bytes: UTF-8, one character each. */
function utf8Bytes(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function urlOf(base: string, request: Request): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return `${base.replace(/\/+$/, '')}${request.path}${text === '' ? '' : `?${text}`}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'it took too long';
  if (error.name === 'AbortError') return 'it was interrupted';
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}

async function ensureOk(response: Response, url: string): Promise<Response> {
  if (response.ok) return response;
  const text = await response.text();
  if (response.headers.get('content-type')?.startsWith('application/problem+json') === true) {
    throw new ProblemError(JSON.parse(text) as ProblemDocument);
  }
  throw new UnreachableError(
    `${shownUrl(url)} answered ${response.status} and not as a control plane does; is the address right?`,
  );
}
