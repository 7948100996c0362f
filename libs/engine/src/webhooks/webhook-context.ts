import type { Sha256 } from '@pawl/contracts';
import type { Clock, Rng } from '@pawl/kernel';
import type { EngineLog } from '../engine-context.js';
import type { Installation } from '../sharding/truth-store.port.js';
import type { WebhookOutbox } from './webhook-outbox.port.js';
import type { WebhookSender } from './webhook-sender.port.js';

export interface WebhookObserver {
  delivered(endpoint: string): void;
  /** A sending failed; it is tried again. */
  failed(endpoint: string): void;
  /** So many events were too old, or refused for too long. */
  givenUp(endpoint: string, events: number): void;
}

export interface WebhookContext {
  readonly installation: Installation;
  readonly outbox: WebhookOutbox;
  readonly sender: WebhookSender;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly rng: Rng;
  readonly sha256: Sha256;
  readonly log: EngineLog;
  readonly observer: WebhookObserver;
  readonly nodeId: string;
}
