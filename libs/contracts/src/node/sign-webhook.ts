import { createHmac } from 'node:crypto';

/** What is sent: `id` is the same each time that the same message is sent again. */
export interface WebhookMessage {
  /** Without a dot. */
  readonly id: string;
  /** Wall time of this sending, milliseconds. */
  readonly sentAtMs: number;
  /** Exactly as it goes over the wire. */
  readonly body: string;
}

/** How a webhook secret is written: this and base64 of 24 to 64 bytes. */
const PREFIX = 'whsec_';
const SECRET = /^whsec_[A-Za-z0-9+/]+={0,2}$/;
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/**
 * The headers by which whoever receives a webhook knows who sent it, as Standard Webhooks has them: id,
 * time in seconds, and for each secret `v1,` with the HMAC-SHA256 of `id.time.body` in base64. Several
 * secrets let receivers change from one to the next. Without a secret there is no signature.
 */
export function signWebhook(
  { id, sentAtMs, body }: WebhookMessage,
  secrets: readonly string[],
): Readonly<Record<string, string>> {
  const time = String(Math.floor(sentAtMs / 1_000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': time };
  if (secrets.length === 0) return headers;
  const signatures = secrets.map((secret) => {
    const hmac = createHmac('sha256', keyOf(secret)).update(`${id}.${time}.${body}`, 'utf8');
    return `v1,${hmac.digest('base64')}`;
  });
  return { ...headers, 'webhook-signature': signatures.join(' ') };
}

/** Whether a text is a secret that {@link signWebhook} takes. */
export function isWebhookSecret(text: string): boolean {
  if (!SECRET.test(text)) return false;
  const { length } = keyOf(text);
  return length >= MIN_BYTES && length <= MAX_BYTES;
}

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), 'base64');
}
