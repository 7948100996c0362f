import type { ReleaseEvent } from '@pawl/contracts';

/** `reason` is a few words for the log, without secrets. */
export type SentWebhook = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Brings an event to an endpoint. */
export interface WebhookSender {
  /** Never rejects, and ends within `SEND_MS`; not taken is also what was taken without our hearing of it. */
  send(endpoint: string, event: ReleaseEvent): Promise<SentWebhook>;
}

/** How long one sending takes at most, milliseconds. */
export const SEND_MS = 10_000;
