import { sha256, systemClock } from '@pawl/contracts/node';
import {
  type ConfiguredWebhook,
  DeliverWebhooks,
  type Installation,
  type WebhookOutbox,
  type WebhookState,
} from '@pawl/engine';
import { createWebhookSender, type WebhookEndpoint } from '@pawl/jobs';
import { seededRng } from '@pawl/kernel';
import type { Logger, Settings } from '@pawl/platform';
import type { ControlPlaneMetrics } from '../metrics/control-plane-metrics.js';
import { engineLog } from '../runtime/engine-log.js';

const NAME_LENGTH = 8;

/** The webhooks of this node, as settings name them. */
export class Webhooks {
  /** Names of the endpoints. */
  readonly endpoints: readonly string[];
  /** The same, and where they are. */
  readonly configured: readonly ConfiguredWebhook[];
  readonly #stop = new AbortController();
  readonly #deliveries: DeliverWebhooks;
  /** As they were when this node looked last. */
  readonly #states = new Map<string, WebhookState>();
  #begun = false;

  constructor(
    private readonly parts: {
      readonly settings: Pick<Settings, 'webhookUrls' | 'webhookSecrets' | 'nodeId'>;
      readonly installation: Installation;
      readonly outbox: WebhookOutbox;
      readonly metrics: ControlPlaneMetrics;
      readonly logger: Logger;
    },
  ) {
    const { settings, installation, outbox, metrics, logger } = parts;
    const endpoints = settings.webhookUrls.map(endpointAt);
    this.endpoints = endpoints.map(({ name }) => name);
    this.configured = endpoints.map(({ name, url }) => ({ name, site: new URL(url).origin }));
    this.#deliveries = new DeliverWebhooks({
      installation,
      outbox,
      sender: createWebhookSender({
        endpoints,
        secrets: settings.webhookSecrets,
        stop: this.#stop.signal,
      }),
      clock: systemClock,
      rng: seededRng(Math.floor(Math.random() * 2 ** 32)),
      sha256,
      log: engineLog(logger),
      observer: metrics.webhooks(),
      nodeId: settings.nodeId,
    });
    metrics.showWebhooks(() => this.#states.values());
  }

  /**
   * From now on every transition is sent to endpoints that nobody has known before, and what is gone is
   * tried again: once, whenever this node starts.
   */
  async begin(): Promise<void> {
    if (this.endpoints.length === 0 || this.#begun) return;
    await this.parts.outbox.begin(this.endpoints);
    this.#begun = true;
    this.parts.logger.info({ endpoints: this.endpoints }, 'release transitions go to webhooks');
  }

  async deliver(endpoint: string): Promise<number | null> {
    try {
      return await this.#deliveries.run(endpoint);
    } finally {
      await this.#note(endpoint);
    }
  }

  /** Cuts off what is being sent; it is sent again by whoever comes next. */
  stop(): void {
    this.#deliveries.stop();
    this.#stop.abort();
  }

  /** How it does, whichever node sends there; what cannot be read now is noted at the next look. */
  async #note(endpoint: string): Promise<void> {
    const [state] = await this.parts.outbox.readStates([endpoint]).catch(() => []);
    if (state !== undefined) this.#states.set(endpoint, state);
  }
}

/** Its name tells the host, and one URL from another; user and password may change. */
function endpointAt(text: string): WebhookEndpoint {
  const url = new URL(text);
  const host = url.hostname.replaceAll(/[^a-z0-9.-]/g, '_').slice(0, 100);
  [url.username, url.password] = ['', ''];
  return { name: `${host}-${sha256(url.href).slice(0, NAME_LENGTH)}`, url: text };
}
