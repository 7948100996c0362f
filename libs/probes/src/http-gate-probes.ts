import type { ExternalGate } from '@pawl/contracts';
import type { GateProbes, ProbeAnswer, ProbedRelease, ProbeSignal } from '@pawl/engine';
import { PLACEHOLDERS, unknownPlaceholder } from './fill-placeholders.js';
import { PrometheusProbe } from './prometheus-probe.js';
import type { PrometheusServer } from './prometheus-probe.js';
import { WebhookProbe } from './webhook-probe.js';
import type { WebhookProbeOptions } from './webhook-probe.js';

const NO_PROMETHEUS = 'PAWL_PROMETHEUS_URL has to be set on every node';

export interface HttpGateProbesOptions extends WebhookProbeOptions {
  /** `null`: there is none. */
  readonly prometheus: PrometheusServer | null;
  /** Told of every question. */
  probed(kind: ExternalGate['kind'], outcome: ProbeAnswer['outcome'], durationMs: number): void;
}

/** Asks Prometheus and webhooks over HTTP, as far as the operator has set up. */
export class HttpGateProbes implements GateProbes {
  readonly #prometheus: PrometheusProbe | null;
  readonly #webhook: WebhookProbe;

  constructor(private readonly options: HttpGateProbesOptions) {
    const { prometheus } = options;
    this.#prometheus = prometheus === null ? null : new PrometheusProbe(prometheus);
    this.#webhook = new WebhookProbe(options);
  }

  lacks(gate: ExternalGate): string | undefined {
    if (gate.kind === 'webhook') {
      const allowed = this.#webhook.allowed(gate);
      return allowed.kind === 'allowed' ? undefined : `its URL ${allowed.why}`;
    }
    if (this.#prometheus === null) return NO_PROMETHEUS;
    const { query = '', baselineQuery = '' } = gate;
    const unknown = unknownPlaceholder(query) ?? unknownPlaceholder(baselineQuery);
    if (unknown === undefined) return undefined;
    return `${unknown} is no placeholder, those are ${PLACEHOLDERS.join(', ')}`;
  }

  async probe(gate: ExternalGate, about: ProbedRelease, signal: ProbeSignal): Promise<ProbeAnswer> {
    const probe = gate.kind === 'webhook' ? this.#webhook : this.#prometheus;
    if (probe === null) return { outcome: 'inconclusive', why: NO_PROMETHEUS };
    const startedMs = performance.now();
    const answer = await probe.probe(gate, about, abortSignalOf(signal));
    this.options.probed(gate.kind, answer.outcome, performance.now() - startedMs);
    return answer;
  }
}

/** The engine's signal as those of Node are. */
function abortSignalOf(signal: ProbeSignal): AbortSignal {
  const controller = new AbortController();
  if (signal.aborted) controller.abort();
  else signal.addEventListener('abort', () => controller.abort());
  return controller.signal;
}
