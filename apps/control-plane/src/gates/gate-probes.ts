import { installationText, type GateProbes, type Installation } from '@pawl/engine';
import type { Settings } from '@pawl/platform';
import { HttpGateProbes } from '@pawl/probes';
import type { ControlPlaneMetrics } from '../metrics/control-plane-metrics.js';

/** Whom gates may ask, as the settings say; a gate that asks anybody else is refused with what to set. */
export function gateProbes(
  { gates, webhookSecrets }: Pick<Settings, 'gates' | 'webhookSecrets'>,
  installation: Installation,
  metrics: Pick<ControlPlaneMetrics, 'gateAsked'>,
): GateProbes {
  return new HttpGateProbes({
    ...gates,
    installation: installationText(installation),
    secrets: webhookSecrets,
    probed: (kind, outcome, durationMs) => metrics.gateAsked(kind, outcome, durationMs),
  });
}
