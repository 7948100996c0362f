import { basicAuthorization, postText, signWebhook, type PostAnswer } from '@pawl/contracts/node';
import { SEND_MS, type SentWebhook, type WebhookSender } from '@pawl/engine';
import { readRetryAfter } from './read-retry-after.js';

export interface WebhookEndpoint {
  /** By which it is known to cursors, jobs and metrics; says nothing secret. */
  readonly name: string;
  /** `http:` or `https:`; may hold a user and a password, which go as basic authentication. */
  readonly url: string;
}

const GONE = 410;
/** Of 400 to 499 those that say "not now": Request Timeout, Too Early, Too Many Requests. */
const NOT_NOW: readonly number[] = [408, 425, 429];

/**
 * Posts events as structured CloudEvents 1.0 over HTTP, signed as Standard Webhooks has it with each of
 * the secrets. Taken is what is answered with 2xx in time. Redirects are not followed: they refuse an event,
 * as 4xx do but for 410, which is gone, and those that pass.
 */
export function createWebhookSender(options: {
  readonly endpoints: readonly WebhookEndpoint[];
  readonly secrets: readonly string[];
  /** Cuts off what is being sent: the node is shutting down. */
  readonly stop: AbortSignal;
  /** {@link SEND_MS} unless told. */
  readonly deadlineMs?: number;
}): WebhookSender {
  const { endpoints, secrets, stop, deadlineMs = SEND_MS } = options;
  const requests = new Map(endpoints.map(({ name, url }) => [name, requestTo(url)]));
  return {
    send: async (endpoint, event) => {
      const request = requests.get(endpoint);
      if (request === undefined) {
        return { ok: false, kind: 'later', reason: 'this node does not know it' };
      }
      const body = JSON.stringify(event);
      const signed = signWebhook({ id: event.id, sentAtMs: Date.now(), body }, secrets);
      const cut = new AbortController();
      const end = (): void => cut.abort();
      const timer = setTimeout(end, deadlineMs);
      stop.addEventListener('abort', end);
      if (stop.aborted) end();
      try {
        const headers = { ...request.headers, ...signed };
        return judge(await postText({ url: request.url, headers, body, signal: cut.signal }));
      } finally {
        clearTimeout(timer);
        stop.removeEventListener('abort', end);
      }
    },
  };
}

function judge(answer: PostAnswer): SentWebhook {
  const { status } = answer;
  if (status === undefined) return { ok: false, kind: 'later', reason: `it ${whyOf(answer)}` };
  if (status >= 200 && status < 300) return { ok: true };
  const headers = answer.kind === 'answer' ? answer.headers : {};
  const retryAfterMs = readRetryAfter(headers, Date.now());
  return {
    ok: false,
    kind: kindOf(status),
    reason: `it ${whyOf(answer)}`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function kindOf(status: number): 'later' | 'refused' | 'gone' {
  if (status === GONE) return 'gone';
  return status >= 300 && status < 500 && !NOT_NOW.includes(status) ? 'refused' : 'later';
}

function whyOf(answer: PostAnswer): string {
  return answer.kind === 'none' ? answer.why : `answers ${answer.status}`;
}

function requestTo(text: string): { url: URL; headers: Readonly<Record<string, string>> } {
  const url = new URL(text);
  const headers = {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    ...basicAuthorization(url),
  };
  [url.username, url.password] = ['', ''];
  return { url, headers };
}
