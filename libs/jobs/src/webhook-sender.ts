import { signWebhook } from '@pawl/contracts/node';
import { SEND_MS, type WebhookSender } from '@pawl/engine';

export interface WebhookEndpoint {
  /** By which it is known to cursors, jobs and metrics; says nothing secret. */
  readonly name: string;
  /** `http:` or `https:`; may hold a user and a password, which go as basic authentication. */
  readonly url: string;
}

/** Of an answer no more than this is read. */
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * Posts events as structured CloudEvents 1.0 over HTTP, signed as Standard Webhooks has it with each of
 * the secrets. Taken is what is answered with 2xx in time; redirects are not followed.
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
      if (request === undefined) return { ok: false, reason: 'this node does not know it' };
      const body = JSON.stringify(event);
      const signed = signWebhook({ id: event.id, sentAtMs: Date.now(), body }, secrets);
      const cut = new AbortController();
      const end = (): void => cut.abort();
      const timer = setTimeout(end, deadlineMs);
      stop.addEventListener('abort', end);
      if (stop.aborted) end();
      try {
        const answer = await fetch(request.url, {
          method: 'POST',
          headers: { ...request.headers, ...signed },
          body,
          redirect: 'manual',
          signal: cut.signal,
        });
        await readSome(answer);
        return answer.ok ? { ok: true } : { ok: false, reason: `it answered ${answer.status}` };
      } catch (error) {
        const reason = cut.signal.aborted ? 'it did not answer in time' : reasonOf(error);
        return { ok: false, reason };
      } finally {
        clearTimeout(timer);
        stop.removeEventListener('abort', end);
      }
    },
  };
}

function requestTo(text: string): { url: URL; headers: Record<string, string> } {
  const url = new URL(text);
  const { username, password } = url;
  const headers: Record<string, string> = {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'user-agent': 'pawl',
  };
  if (username !== '' || password !== '') {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers['authorization'] = `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
    [url.username, url.password] = ['', ''];
  }
  return { url, headers };
}

/** A connection is used again only once its answer was read; one that is too long is cut off. */
async function readSome({ body }: Response): Promise<void> {
  if (body === null) return;
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  for (let bytes = 0; bytes <= MAX_ANSWER_BYTES;) {
    const { done, value } = await reader.read();
    if (done) return;
    bytes += value.byteLength;
  }
  await reader.cancel();
}

/** `fetch` tells the cause of a failure apart from the failure, and neither names the URL's secrets. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause ? String(cause.code) : cause.message;
}
