import type { AddressText, ReleaseEvent } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ManualTime, type Rng } from '@pawl/kernel';
import type { HistoryEntry } from '../sharding/truth-store.port.js';
import { FakeWebhookOutbox } from '../testing/fake-webhook-outbox.js';
import { DeliverWebhooks } from './deliver-webhooks.js';
import type { SentWebhook } from './webhook-sender.port.js';

export const ENDPOINT = 'hooks-1';
export const TAKEN: SentWebhook = { ok: true };
export const LATER: SentWebhook = { ok: false, kind: 'later', reason: 'it answers 500' };
export const REFUSED: SentWebhook = { ok: false, kind: 'refused', reason: 'it answers 400' };
/** The longest wait of those that chance may choose. */
const LONGEST: Rng = { next: () => 0.999, below: (bound) => bound - 1 };

/** Nodes that send from one history to one endpoint, which answers as a test says. */
export class WebhookWorld {
  readonly time = new ManualTime();
  outbox = new FakeWebhookOutbox(this.time);
  /** Events in the order in which they were sent, and what became of them. */
  sent: { readonly node: string; readonly event: ReleaseEvent; readonly ok: boolean }[] = [];
  readonly logged: string[] = [];
  readonly counted = { delivered: 0, failed: 0, givenUp: 0 };
  answer: (event: ReleaseEvent) => SentWebhook | Promise<SentWebhook> = () => TAKEN;
  onGivenUp: () => void = () => undefined;

  node(nodeId: string, rng = LONGEST): DeliverWebhooks {
    const log = (message: string): void => void this.logged.push(message);
    return new DeliverWebhooks({
      installation: { name: 'main', id: 'test', generation: 1, shards: 4 },
      outbox: this.outbox,
      sender: {
        send: async (_endpoint, event) => {
          const result = await this.answer(event);
          this.sent.push({ node: nodeId, event, ok: result.ok });
          return result;
        },
      },
      clock: this.time,
      rng,
      sha256,
      log: { debug: log, info: log, warn: log, error: log },
      observer: {
        delivered: () => (this.counted.delivered += 1),
        failed: () => (this.counted.failed += 1),
        givenUp: (_endpoint, events) => {
          this.counted.givenUp += events;
          this.onGivenUp();
        },
      },
      nodeId,
    });
  }

  promote(releaseVersion: number, over: Partial<HistoryEntry> = {}): HistoryEntry {
    return {
      address: 'acme/app:limits' as AddressText,
      at: new Date(this.time.wallMs()).toISOString(),
      author: 'ann',
      kind: 'release',
      action: 'promote',
      releaseVersion,
      version: releaseVersion,
      ...over,
    };
  }

  /** What was taken, or what was not. */
  versions(ok = true): unknown[] {
    return this.sent.filter((one) => one.ok === ok).map(({ event }) => event.data.releaseVersion);
  }
}
