import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';

/** `delivering` also where nothing is to be sent; `not-begun`: no node has told PostgreSQL of it yet. */
export const WEBHOOK_STATES = ['delivering', 'failing', 'gone', 'not-begun'] as const;
export type WebhookStateName = (typeof WEBHOOK_STATES)[number];

/** So many events that wait are counted. */
export const WEBHOOK_WAITING_MAX = 10_000;

const name = { type: 'string', minLength: 1, maxLength: 128 } as const;

/** How one endpoint of webhooks does; times in milliseconds by the clock of PostgreSQL. */
export const webhookSchema = {
  type: 'object',
  required: ['name', 'site', 'state', 'failures', 'setAside', 'waiting'],
  properties: {
    /** As logs and metrics call it: its host and a few digits. */
    name,
    /** The beginning of its URL; path and query may hold a secret. */
    site: { type: 'string' },
    state: { enum: WEBHOOK_STATES },
    /** How often in a row it did not take what came. */
    failures: part.counter,
    /** For how long it has taken nothing. */
    failingForMs: part.counter,
    /** Until it is tried again. */
    retryInMs: part.counter,
    /** How long ago it answered 410: it is sent nothing any more. */
    goneForMs: part.counter,
    /** Addresses of which it did not take an event: what follows there waits, and nothing else. */
    setAside: part.counter,
    /** Until the first of them is tried again. */
    setAsideRetryInMs: part.counter,
    /** Events that it was not sent yet; no more than 10,000 are counted. */
    waiting: part.counter,
    /** How long ago the oldest of them was written. */
    oldestWaitingMs: part.counter,
    /** Why it did not take what came, the last time. */
    lastError: { type: 'string' },
  },
} as const;
export type WebhookView = Infer<typeof webhookSchema>;

export const retryWebhookRequestSchema = {
  type: 'object',
  required: ['webhook'],
  additionalProperties: false,
  properties: { webhook: name },
} as const;
export type RetryWebhookRequest = Infer<typeof retryWebhookRequestSchema>;
