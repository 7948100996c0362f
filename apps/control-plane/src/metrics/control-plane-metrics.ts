import type {
  EngineObserver,
  EngineStatus,
  FleetStatus,
  WebhookObserver,
  WebhookState,
} from '@pawl/engine';
import type { Metrics } from '@pawl/platform';
import type { FinishedRequest } from '../http/create-http-app.js';

/** Everything that `/metrics` shows besides the process itself. No label has endless values. */
export class ControlPlaneMetrics implements EngineObserver {
  readonly #requests;
  readonly #propagation;
  readonly #applied;
  readonly #rejections;
  readonly #writes;
  readonly #commits;
  readonly #committed;
  readonly #published;
  readonly #incidents;
  readonly #dropped;
  readonly #swept;
  readonly #webhooks;
  readonly #webhooksGivenUp;
  readonly #gates;
  readonly #routes = new Map<string, string>();

  constructor(private readonly metrics: Metrics) {
    this.#requests = metrics.durations({
      name: 'pawl_http_request_duration_seconds',
      help: 'HTTP requests by method, route template and status',
      labels: ['method', 'route', 'status'],
    });
    this.#propagation = metrics.durations({
      name: 'pawl_publish_to_apply_seconds',
      help: 'From the publication of a snapshot until a consumer has applied it',
    });
    this.#applied = metrics.counter({
      name: 'pawl_applied_versions_total',
      help: 'Snapshot versions that consumers have reported as applied',
    });
    this.#rejections = metrics.counter({
      name: 'pawl_rejections_total',
      help: 'Snapshot versions that consumers have rejected',
    });
    this.#writes = metrics.durations({
      name: 'pawl_write_duration_seconds',
      help: 'Write commands by command and outcome: ok, unchanged, replayed or a problem code',
      labels: ['command', 'outcome'],
    });
    this.#commits = metrics.counter({
      name: 'pawl_commits_total',
      help: 'Transactions of writes; commands that wait together share one',
    });
    this.#committed = metrics.counter({
      name: 'pawl_committed_changesets_total',
      help: 'Changesets in those transactions, about one for each command that wrote',
    });
    this.#published = metrics.counter({
      name: 'pawl_published_snapshots_total',
      help: 'Snapshots stored in JetStream',
    });
    this.#incidents = metrics.counter({
      name: 'pawl_incidents_total',
      help: 'What must never happen and was refused; somebody has to look',
      labels: ['kind'],
    });
    this.#dropped = metrics.counter({
      name: 'pawl_dropped_messages_total',
      help: 'Messages over NATS that were not answered, by kind and reason',
      labels: ['kind', 'reason'],
    });
    this.#swept = metrics.counter({
      name: 'pawl_swept_total',
      help: 'What sweeps have removed, by kind',
      labels: ['kind'],
    });
    this.#webhooks = metrics.counter({
      name: 'pawl_webhook_sendings_total',
      help: 'Release transitions sent to an endpoint, by outcome: delivered, or failed and tried again',
      labels: ['endpoint', 'outcome'],
    });
    this.#webhooksGivenUp = metrics.counter({
      name: 'pawl_webhooks_given_up_total',
      help: 'Release transitions that are not sent to an endpoint any more: too old, or refused for too long',
      labels: ['endpoint'],
    });
    this.#gates = metrics.durations({
      name: 'pawl_gate_probe_seconds',
      help: 'Questions of gates to Prometheus and webhooks, by kind and outcome: pass, fail, inconclusive',
      labels: ['kind', 'outcome'],
    });
  }

  /** What becomes of webhooks; endpoints are as many as are configured. */
  webhooks(): WebhookObserver {
    return {
      delivered: (endpoint) => this.#webhooks.inc({ endpoint, outcome: 'delivered' }),
      failed: (endpoint) => this.#webhooks.inc({ endpoint, outcome: 'failed' }),
      givenUp: (endpoint, events) => this.#webhooksGivenUp.inc({ endpoint }, events),
    };
  }

  /** Shows how endpoints of webhooks do, as of the last look. */
  showWebhooks(read: () => Iterable<WebhookState>): void {
    const states = (name: string, help: string, value: (state: WebhookState) => number): void =>
      void this.metrics.gauges({ name, help, labels: ['endpoint'] }, () =>
        Array.from(read(), (state) => ({
          labels: { endpoint: state.endpoint },
          value: value(state),
        })),
      );
    states(
      'pawl_webhook_failing_seconds',
      'For how long an endpoint has taken nothing of what was sent; 0 where it takes what comes',
      ({ failingForMs = 0 }) => failingForMs / 1_000,
    );
    states(
      'pawl_webhook_set_aside',
      'Addresses of which an endpoint did not take an event, and what follows there waits',
      ({ setAside }) => setAside,
    );
    states(
      'pawl_webhook_gone',
      '1 where an endpoint has answered 410 and is sent nothing any more',
      ({ goneForMs }) => (goneForMs === undefined ? 0 : 1),
    );
  }

  /** Shows the engine's own figures and the open event streams whenever the metrics are read. */
  showState(read: () => EngineStatus, streams: () => number): void {
    const gauge = (name: string, help: string, value: () => number): void =>
      void this.metrics.gauge({ name, help }, value);
    gauge('pawl_shards_owned', 'Shards this node has claimed', () => read().ownedShards);
    gauge('pawl_shards_served', 'Shards this node serves', () => read().servedShards);
    gauge(
      'pawl_shards_read_only',
      'Served shards of which PostgreSQL lacks what was seen elsewhere',
      () => read().readOnlyShards,
    );
    gauge(
      'pawl_pending_publications',
      'Snapshots committed and not yet in JetStream',
      () => read().pendingPublications,
    );
    gauge(
      'pawl_live_consumers',
      'Consumers heard within three heartbeats',
      () => read().liveConsumers,
    );
    gauge('pawl_event_streams', 'Open event streams', streams);
  }

  /** Shows what live consumers run, address by address. */
  showFleet(read: () => FleetStatus): void {
    this.metrics.gauge(
      {
        name: 'pawl_overdue_consumers',
        help: 'Live consumers without a snapshot that was published longer ago than the bound',
      },
      () => read().overdueConsumers,
    );
    const versions = (
      name: string,
      help: string,
      value: (one: FleetStatus['versions'][number]) => number,
    ): void =>
      void this.metrics.gauges({ name, help, labels: ['address'] }, () =>
        read().versions.map((one) => ({ labels: { address: one.address }, value: value(one) })),
      );
    versions(
      'pawl_published_version',
      'Published snapshot version of an address that live consumers have open',
      (one) => one.published,
    );
    versions(
      'pawl_applied_version',
      'Lowest snapshot version that a live consumer of the address runs',
      (one) => one.lowestApplied,
    );
  }

  request({ method, route, status, elapsedMs }: FinishedRequest): void {
    this.#requests.observe(
      { method, route: this.#template(route), status: String(status) },
      elapsedMs / 1000,
    );
  }

  written(command: string, outcome: string, durationMs: number): void {
    this.#writes.observe({ command, outcome }, durationMs / 1000);
  }

  committed(changesets: number): void {
    this.#commits.inc();
    this.#committed.inc(changesets);
  }

  published(): void {
    this.#published.inc();
  }

  /** Clocks of two machines differ, so an ack may seem to come before the publication. */
  applied(_address: string, propagationMs: number | null): void {
    this.#applied.inc();
    if (propagationMs === null) return;
    this.#propagation.observe(Math.max(0, propagationMs) / 1000);
  }

  rejected(): void {
    this.#rejections.inc();
  }

  incident(kind: string): void {
    this.#incidents.inc({ kind });
  }

  dropped(kind: string, reason: string): void {
    this.#dropped.inc({ kind, reason });
  }

  swept(kind: string, removed: number): void {
    this.#swept.inc({ kind }, removed);
  }

  gateAsked(kind: string, outcome: string, durationMs: number): void {
    this.#gates.observe({ kind, outcome }, durationMs / 1000);
  }

  /** Paths that matched nothing share one label: callers choose them, so there is no end to them. */
  #template(route: string | undefined): string {
    if (route === undefined) return 'unmatched';
    let template = this.#routes.get(route);
    if (template === undefined) {
      template = route.replace('*', '{address}');
      this.#routes.set(route, template);
    }
    return template;
  }
}
