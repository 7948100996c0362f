import type { ExternalGate } from '@pawl/contracts';
import { basicAuthorization, postText } from '@pawl/contracts/node';
import type { ProbeAnswer, ProbedRelease } from '@pawl/engine';
import { fillPlaceholders } from './fill-placeholders.js';
import { judgeValue } from './judge-value.js';
import { readSample } from './read-sample.js';
import type { Sample } from './read-sample.js';

export interface PrometheusServer {
  /** Its base, as its own links have it; may name a user and a password, and a query to be kept. */
  readonly url: string;
  /** Sent as bearer token; `null`: none. */
  readonly token: string | null;
}

/** Asks a Prometheus for one number, or for that of the candidates and that of the rest. */
export class PrometheusProbe {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(server: PrometheusServer) {
    const url = new URL(server.url);
    const { token } = server;
    const authorization =
      token === null ? basicAuthorization(url) : { authorization: `Bearer ${token}` };
    url.username = '';
    url.password = '';
    url.hash = '';
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v1/query`;
    this.#url = url;
    this.#headers = {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
      ...authorization,
    };
  }

  /** Never rejects because of what the server does. */
  async probe(
    { query = '', baselineQuery, ...gate }: ExternalGate,
    about: ProbedRelease,
    signal: AbortSignal,
  ): Promise<ProbeAnswer> {
    const [own, rest] = await Promise.all([
      this.#ask(fillPlaceholders(query, about), signal),
      baselineQuery && this.#ask(fillPlaceholders(baselineQuery, about), signal),
    ]);
    if (own.kind !== 'number') return { outcome: 'inconclusive', why: `the query ${own.why}` };
    if (!rest) return judgeValue(gate, own.value);
    if (rest.kind === 'number') return judgeValue(gate, own.value, rest.value);
    // What is out of its own bounds is so whatever the rest does.
    const alone = judgeValue(gate, own.value);
    if (alone.outcome === 'fail') return alone;
    const why = `the query of the baseline ${rest.why}`;
    const isLast = about.stage === about.stages - 1;
    if (rest.kind === 'none' || !isLast) return { ...alone, outcome: 'inconclusive', why };
    return { ...alone, why: `${alone.why}: there is no rest in the last stage` };
  }

  async #ask(query: string, signal: AbortSignal): Promise<Sample> {
    const body = new URLSearchParams({ query }).toString();
    return readSample(await postText({ url: this.#url, headers: this.#headers, body, signal }));
  }
}
