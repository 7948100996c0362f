import { randomUUID } from 'node:crypto';
import type { ExternalGate } from '@pawl/contracts';
import { postText, signWebhook } from '@pawl/contracts/node';
import type { ProbeAnswer, ProbedRelease } from '@pawl/engine';
import { allowedUrl } from './allowed-url.js';
import type { AllowedUrl } from './allowed-url.js';
import { readVerdict } from './read-verdict.js';

export interface WebhookProbeOptions {
  /** `<name>/<id>`. */
  readonly installation: string;
  /** What an operator allows to be called, see {@link allowedUrl}. */
  readonly urls: readonly string[];
  /** See `signWebhook`. */
  readonly secrets: readonly string[];
}

/** Asks somebody else's server for its judgement. */
export class WebhookProbe {
  constructor(private readonly options: WebhookProbeOptions) {}

  /** What is wrong with the URL of a gate. */
  allowed({ url = '' }: ExternalGate): AllowedUrl {
    return allowedUrl(url, this.options.urls);
  }

  /** Never rejects because of what the server does. */
  async probe(gate: ExternalGate, about: ProbedRelease, signal: AbortSignal): Promise<ProbeAnswer> {
    const allowed = this.allowed(gate);
    if (allowed.kind === 'refused') {
      return { outcome: 'inconclusive', why: `its URL ${allowed.why}` };
    }
    const body = this.#question(gate, about);
    const message = { id: `gate_${randomUUID()}`, sentAtMs: Date.now(), body };
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      ...signWebhook(message, this.options.secrets),
    };
    return readVerdict(await postText({ url: allowed.url, headers, body, signal }));
  }

  /** What docs/releases.md promises to those who are asked. */
  #question({ name }: ExternalGate, about: ProbedRelease): string {
    const { installation } = this.options;
    const { releaseId, address, version, stableVersion, stage, stages } = about;
    const { candidates, workloads } = about;
    return JSON.stringify({
      ...{ gate: name, installation, address, release: releaseId, version, stableVersion },
      ...{ stage, stages, candidates, workloads },
    });
  }
}
