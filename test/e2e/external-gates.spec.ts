import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GateResult, ReleaseView, RolloutRelease } from '@pawl/contracts';
import type { Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import {
  startReceiver,
  type HttpReceiver,
  type ReceivedRequest,
} from '../support/http-receiver.js';
import { startPrometheus, type TestPrometheus } from '../support/prometheus.js';
import { startStack, type TestStack } from '../support/stack.js';

interface Config {
  readonly n: number;
  /** Of 20 requests, those that fail. */
  readonly failing: number;
}

const SERVICE = 'acme/prod/checkout';
const HOOKED = 'acme/prod/mail';
const INSTANCES = 6;
const KEY = Buffer.alloc(32, 7);
const HOUR_MS = 3_600_000;

/** What all instances have served, by cohort, as a client library counts it: what was once told stays. */
class Served {
  readonly #requests = new Map<string, number>();
  readonly #errors = new Map<string, number>();

  /** Each instance serves 20 requests more, and what its configuration makes fail of them fails. */
  scraped(scopes: readonly Scope<Config>[]): string {
    for (const { cohort, current } of scopes) {
      this.#add(this.#requests, cohort, 20);
      this.#add(this.#errors, cohort, current.failing);
    }
    return this.#text('requests_total', this.#requests) + this.#text('errors_total', this.#errors);
  }

  #add(counts: Map<string, number>, cohort: string, more: number): void {
    counts.set(cohort, (counts.get(cohort) ?? 0) + more);
  }

  #text(name: string, counts: Map<string, number>): string {
    const lines = [...counts].map(([cohort, value]) => `${name}{cohort="${cohort}"} ${value}\n`);
    return `# TYPE ${name} counter\n${lines.join('')}`;
  }
}

const served = new Served();
const scopes: Scope<Config>[] = [];
let target: HttpReceiver;
let prometheus: TestPrometheus;
let receiver: HttpReceiver;
let asked: ReceivedRequest[] = [];
/** By path. */
const verdicts = new Map<string, string>();
let stack: TestStack;

beforeAll(async () => {
  target = await startReceiver(() => served.scraped(scopes));
  prometheus = await startPrometheus(target.host);
  receiver = await startReceiver((request) => {
    asked.push(request);
    return verdicts.get(request.path) ?? '{"outcome":"inconclusive","why":"nobody has looked"}';
  });
  stack = await startStack({
    env: {
      PAWL_PROMETHEUS_URL: prometheus.url,
      PAWL_GATE_URLS: `${receiver.url}/gates`,
      PAWL_WEBHOOK_SECRET: `whsec_${KEY.toString('base64')}`,
    },
  });
  await stack.promote(SERVICE, { n: 1, failing: 1 });
  await stack.promote(HOOKED, { n: 1 });
  for (let at = 0; at < INSTANCES; at += 1) {
    const pawl = await stack.connectSdk({ workload: 'checkout', consumerId: `checkout-${at}` });
    scopes.push(await pawl.open<Config>(SERVICE));
  }
  const mail = await stack.connectSdk({ workload: 'mail', consumerId: 'mail-0' });
  await mail.open(HOOKED);
  await stack.converged(SERVICE, INSTANCES);
  await stack.converged(HOOKED, 1);
});
afterAll(async () => {
  await stack?.stop();
  await prometheus?.stop();
  await receiver?.close();
  await target?.close();
});

const RATE = (cohort: string): string =>
  `sum(rate(errors_total{cohort${cohort}}[6s])) / sum(rate(requests_total{cohort${cohort}}[6s]))`;
const ERRORS = {
  ...{ kind: 'prometheus', name: 'errors', maxRatio: 3, max: 0.9 },
  query: RATE('=~".*{{release}}.*"'),
  baselineQuery: RATE('!~".*{{release}}.*"'),
  ...{ intervalMs: 1_000, onFailure: 'abort' },
} as const;

const begin = async (address: string, document: object, strategy: object): Promise<ReleaseView> => {
  const admin = stack.admin('ada');
  const { version } = await admin.getConfig(address);
  await admin.putConfig(address, { json: document }, { expect: version });
  return admin.release(address, { action: 'promote', strategy });
};
const canary = (gates: readonly object[], bakeMs: number): object => ({
  stages: [
    { count: 2, bakeMs },
    { percent: 100, bakeMs: Math.min(bakeMs, 3_000) },
  ],
  gates,
});
const ended = (address: string, stableVersion: number): Promise<void> =>
  eventually(async () => {
    const view = await stack.admin().getRelease(address);
    expect(view).toMatchObject({ state: 'idle', stableVersion });
  }, 60_000);
const shown = async (address: string): Promise<RolloutRelease | undefined> =>
  (await stack.admin().rollout(address)).releases?.[0];
const gateShown = async (address: string, name: string): Promise<GateResult | undefined> =>
  (await shown(address))?.gates?.find((gate) => gate.name === name);
const newest = async (address: string) =>
  (await stack.admin().history(address, { limit: 1 })).items[0];

describe('a gate that asks Prometheus', () => {
  it('stops a release whose candidates fail more often than the rest, with the numbers', async () => {
    await begin(SERVICE, { n: 2, failing: 10 }, canary([ERRORS], HOUR_MS));
    await ended(SERVICE, 1);
    const entry = await newest(SERVICE);
    expect(entry).toMatchObject({ author: 'pawl', action: 'abort', version: 2 });
    expect(entry?.reason).toContain('0.5 over 0.05: 10 times it, at most 3 times it is allowed');
    await stack.converged(SERVICE, INSTANCES);
    expect(scopes.map(({ current, cohort }) => [current.n, cohort])).toEqual(
      scopes.map(() => [1, '']),
    );
  });

  it('lets one go on whose candidates are as the rest, to the end, where there is no rest', async () => {
    const { staged } = await begin(SERVICE, { n: 3, failing: 1 }, canary([ERRORS], HOUR_MS));
    await eventually(async () => {
      const gate = await gateShown(SERVICE, 'errors');
      const about5 = expect.closeTo(0.05) as number;
      expect(gate).toMatchObject({ outcome: 'pass', value: about5, baseline: about5 });
    });
    const cohorts = scopes.map(({ cohort }) => cohort).filter((cohort) => cohort !== '');
    expect(cohorts).toEqual([staged?.id, staged?.id]);
    await stack.admin('ada').release(SERVICE, { action: 'advance' });
    await ended(SERVICE, 3);
    await stack.converged(SERVICE, INSTANCES);
  });

  it('waits while Prometheus is away, and says so, and goes on when it is back', async () => {
    await prometheus.shutDown();
    await begin(SERVICE, { n: 4, failing: 1 }, canary([ERRORS], 0));
    await eventually(async () => {
      const gate = await gateShown(SERVICE, 'errors');
      expect(gate).toMatchObject({ outcome: 'inconclusive' });
      expect(gate?.why).toContain('ECONNREFUSED');
      const release = await shown(SERVICE);
      expect(release).toMatchObject({ state: 'rolling', stage: 0 });
      expect(release?.reason).toContain('ECONNREFUSED');
    });
    await stack.converged(SERVICE, INSTANCES);
    await prometheus.start();
    await ended(SERVICE, 4);
  });

  it('is refused with a placeholder that is none', async () => {
    const gate = { ...ERRORS, query: 'rate(f[{{interval}}])' };
    await expect(begin(SERVICE, { n: 5, failing: 1 }, canary([gate], 0))).rejects.toThrow(
      /\{\{interval\}\} is no placeholder, those are \{\{address\}\}/,
    );
  });
});

describe('a gate that asks a webhook', () => {
  const gate = (path: string): object => ({
    ...{ kind: 'webhook', name: 'sales', url: `${receiver.url}${path}` },
    ...{ intervalMs: 1_000, onFailure: 'abort' },
  });

  it('waits for a judgement, is signed, and stops what is judged bad, with the reason', async () => {
    asked = [];
    const { staged } = await begin(HOOKED, { n: 2 }, canary([gate('/gates/sales')], 0));
    await eventually(async () => {
      const result = await gateShown(HOOKED, 'sales');
      expect(result).toMatchObject({ outcome: 'inconclusive', why: 'nobody has looked' });
    });
    const { headers = {}, body = '' } = asked[0] ?? {};
    expect(JSON.parse(body)).toMatchObject({
      ...{ gate: 'sales', address: HOOKED, release: staged?.id, version: 2, stableVersion: 1 },
      ...{ stage: 0, stages: 2, candidates: 1, workloads: ['mail'] },
    });
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    const hmac = createHmac('sha256', KEY).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${hmac}`);
    verdicts.set('/gates/sales', '{"outcome":"fail","why":"orders are down","value":12}');
    await ended(HOOKED, 1);
    const entry = await newest(HOOKED);
    expect(entry).toMatchObject({ author: 'pawl', action: 'abort' });
    expect(entry?.reason).toContain('orders are down');
  });

  it('lets go on what is judged good', async () => {
    verdicts.set('/gates/fine', '');
    await begin(HOOKED, { n: 3 }, canary([gate('/gates/fine')], 0));
    await ended(HOOKED, 3);
  });

  it('is refused where an operator has not allowed its URL, and nobody is asked', async () => {
    asked = [];
    await expect(begin(HOOKED, { n: 4 }, canary([gate('/admin')], 0))).rejects.toThrow(
      /none that PAWL_GATE_URLS allows/,
    );
    expect(await stack.admin().getRelease(HOOKED)).toMatchObject({ state: 'idle' });
    expect(asked).toEqual([]);
  });
});
