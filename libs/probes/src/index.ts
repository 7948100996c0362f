export { HttpGateProbes } from './http-gate-probes.js';
export type { HttpGateProbesOptions } from './http-gate-probes.js';
export type { PrometheusServer } from './prometheus-probe.js';
export type { WebhookProbeOptions } from './webhook-probe.js';
