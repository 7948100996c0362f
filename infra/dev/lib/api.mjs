import { Failure } from './failure.mjs';

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {any} body parsed JSON; `undefined` when there is none
 */

const REQUEST_DEADLINE_MS = 15_000;
const TRIES = 5;
const RETRY_MS = 300;
/** Author of what the demo writes. */
export const ACTOR = 'demo';

/** REST as the demo needs it; `base` without a slash at the end. */
export class Api {
  /** @param {string} base @param {AbortSignal} [signal] */
  constructor(base, signal) {
    this.base = base;
    this.signal = signal;
  }

  /** @param {string} path @returns {Promise<Answer>} also for a problem */
  get(path) {
    return this.#ask(path, { method: 'GET' });
  }

  /**
   * @param {string} path @param {unknown} body @param {Record<string, string>} [headers]
   * @returns {Promise<Answer>} also for a problem
   */
  put(path, body, headers = {}) {
    return this.#ask(path, withBody('PUT', body, headers));
  }

  /** @param {string} path @param {unknown} body @returns {Promise<Answer>} also for a problem */
  post(path, body) {
    return this.#ask(path, withBody('POST', body, {}));
  }

  /**
   * Asks again while the server says that it will answer later (503, 429).
   *
   * @param {string} path @param {RequestInit} init
   * @returns {Promise<Answer>}
   */
  async #ask(path, init) {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#once(path, init);
      const later = answer.status === 503 || answer.status === 429;
      if (!later || tries === TRIES) return answer;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * tries));
    }
  }

  /** @param {string} path @param {RequestInit} init @returns {Promise<Answer>} */
  async #once(path, init) {
    const timeout = AbortSignal.timeout(REQUEST_DEADLINE_MS);
    const signal = this.signal === undefined ? timeout : AbortSignal.any([timeout, this.signal]);
    let response;
    let text;
    try {
      response = await fetch(`${this.base}${path}`, { ...init, signal });
      text = await response.text();
    } catch (error) {
      throw new Failure(`${init.method} ${path} got no answer from ${this.base}.`, {
        cause: error,
      });
    }
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, body: isJson && text !== '' ? JSON.parse(text) : undefined };
  }
}

/** @param {string} method @param {unknown} body @param {Record<string, string>} headers */
function withBody(method, body, headers) {
  return {
    method,
    headers: { 'content-type': 'application/json', 'x-pawl-actor': ACTOR, ...headers },
    body: JSON.stringify(body),
  };
}

/**
 * The body of an answer that must be a success; a problem becomes a `Failure` with its own words.
 *
 * @param {string} what was tried, as the subject of the sentence
 * @param {Answer} answer
 * @returns {any}
 */
export function expectSuccess(what, { status, body }) {
  if (status >= 200 && status < 300) return body;
  const detail = body?.detail ?? body?.title ?? 'no reason given';
  const errors = (body?.errors ?? []).slice(0, 5).map(describeError);
  throw new Failure(`${what} was refused (${status}): ${detail}`, { detail: errors.join('\n') });
}

/** @param {{ address: string, pointer: string, message: string }} error of a problem */
export function describeError({ address, pointer, message }) {
  return `${address} ${pointer === '' ? '(the whole document)' : pointer}: ${message}`;
}
