import type { ReleaseEvent } from '@pawl/contracts';

/**
 * Why something was not taken: `later`, the endpoint takes nothing now; `refused`, it does not want this
 * event as it is; `gone`, it wants nothing any more.
 */
export interface NotTaken {
  readonly ok: false;
  readonly kind: 'later' | 'refused' | 'gone';
  /** A few words for the log, without secrets. */
  readonly reason: string;
  /** For so long the endpoint asks to be left alone, milliseconds. */
  readonly retryAfterMs?: number;
}

export type SentWebhook = { readonly ok: true } | NotTaken;

/** Brings an event to an endpoint. */
export interface WebhookSender {
  /** Never rejects, and ends within `SEND_MS`; not taken is also what was taken without our hearing of it. */
  send(endpoint: string, event: ReleaseEvent): Promise<SentWebhook>;
}

/** How long one sending takes at most, milliseconds. */
export const SEND_MS = 10_000;
