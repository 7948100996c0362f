import { done, refused, WEBHOOK_WAITING_MAX } from '@pawl/contracts';
import type { Outcome, Page, WebhookView } from '@pawl/contracts';
import { answered } from '../sharding/answered.js';
import { OutcomeUnknownError } from '../sharding/truth-store.port.js';
import type { WebhookBacklog, WebhookOutbox, WebhookState } from './webhook-outbox.port.js';

/** An endpoint as the settings of a node name it. */
export interface ConfiguredWebhook {
  readonly name: string;
  /** The beginning of its URL, without what may be a secret. */
  readonly site: string;
}

/** How the webhooks of a node do, whichever node sends there. */
export class WebhookUseCases {
  constructor(
    private readonly configured: readonly ConfiguredWebhook[],
    private readonly outbox: WebhookOutbox,
    /** One is to be looked at now. */
    private readonly look: (endpoint: string) => void,
  ) {}

  /** In the order of the settings. */
  list(): Promise<Outcome<Page<WebhookView>>> {
    return answered(async () => {
      const views = await this.#views(this.configured);
      return done({ items: views });
    });
  }

  /**
   * Tries an endpoint now, with all that was set aside there, also one that is gone. `not-found` where the
   * settings of this node do not name it.
   */
  retry(name: string): Promise<Outcome<WebhookView>> {
    return answered(async () => {
      const webhook = this.configured.find((one) => one.name === name);
      if (webhook === undefined) return unknownWebhook(name, this.configured);
      if (!(await this.#take(name))) return outcomeUnknown();
      this.look(name);
      const [view = notBegun(webhook)] = await this.#views([webhook]);
      return done(view);
    });
  }

  /** `false`: PostgreSQL went away meanwhile. */
  async #take(name: string): Promise<boolean> {
    try {
      await this.outbox.begin([name]);
      return await this.outbox.retryNow(name);
    } catch (error) {
      if (error instanceof OutcomeUnknownError) return false;
      throw error;
    }
  }

  async #views(webhooks: readonly ConfiguredWebhook[]): Promise<WebhookView[]> {
    const names = webhooks.map(({ name }) => name);
    const states = await this.outbox.readStates(names);
    const backlogs = await this.outbox.readBacklogs(names, WEBHOOK_WAITING_MAX);
    return webhooks.map((webhook) => {
      const state = states.find(({ endpoint }) => endpoint === webhook.name);
      const backlog = backlogs.find(({ endpoint }) => endpoint === webhook.name);
      return viewOf(webhook, state, backlog);
    });
  }
}

function viewOf(
  { name, site }: ConfiguredWebhook,
  state: WebhookState | undefined,
  backlog: WebhookBacklog | undefined,
): WebhookView {
  if (state === undefined || backlog === undefined) return notBegun({ name, site });
  const { failures, setAside, goneForMs, reason } = state;
  const isGone = goneForMs !== undefined;
  const isFailing = !isGone && failures > 0;
  return {
    ...{ name, site, state: isGone ? 'gone' : isFailing ? 'failing' : 'delivering' },
    ...{ failures, setAside, waiting: backlog.waiting },
    ...inWhole('failingForMs', state.failingForMs),
    ...inWhole('retryInMs', isFailing ? state.retryInMs : undefined),
    ...inWhole('goneForMs', goneForMs),
    ...inWhole('setAsideRetryInMs', state.setAsideRetryInMs),
    ...inWhole('oldestWaitingMs', backlog.oldestMs),
    ...(reason === undefined ? {} : { lastError: reason }),
  };
}

function outcomeUnknown(): Outcome<never> {
  return refused(
    'outcome-unknown',
    'PostgreSQL went away meanwhile; ask again, as often as it takes',
  );
}

function notBegun(webhook: ConfiguredWebhook): WebhookView {
  return { ...webhook, state: 'not-begun', failures: 0, setAside: 0, waiting: 0 };
}

function inWhole(name: string, ms: number | undefined): Record<string, number> {
  return ms === undefined ? {} : { [name]: Math.round(ms) };
}

function unknownWebhook(name: string, known: readonly ConfiguredWebhook[]): Outcome<never> {
  const names = known.map((one) => one.name).join(', ') || 'none';
  return refused('not-found', `no webhook is called ${name}; PAWL_WEBHOOK_URLS has: ${names}`);
}
