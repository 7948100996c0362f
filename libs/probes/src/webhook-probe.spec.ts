import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExternalGate } from '@pawl/contracts';
import type { ProbeAnswer } from '@pawl/engine';
import { LoopbackServer } from './testing/loopback-server.js';
import { RELEASE } from './testing/probed-release.js';
import { WebhookProbe } from './webhook-probe.js';

const KEY = Buffer.alloc(32, 7);
const SECRET = `whsec_${KEY.toString('base64')}`;

let server: LoopbackServer;
beforeEach(async () => {
  server = await LoopbackServer.start();
});
afterEach(() => server.close());

const gate = (url = `${server.url}/gates/sales`): ExternalGate => ({
  ...{ kind: 'webhook', name: 'sales', url },
});
const ask = (
  asked = gate(),
  options: { signal?: AbortSignal; secrets?: readonly string[] } = {},
): Promise<ProbeAnswer> => {
  const { signal = new AbortController().signal, secrets = [] } = options;
  const urls = [`${server.url}/gates`];
  const probe = new WebhookProbe({ installation: 'main/1', urls, secrets });
  return probe.probe(asked, RELEASE, signal);
};

describe('WebhookProbe', () => {
  it('posts what it is asked about, signed', async () => {
    server.says(200, { outcome: 'pass', why: 'sales are fine', value: 12.5, baseline: 12 });
    expect(await ask(gate(), { secrets: [SECRET] })).toEqual({
      ...{ outcome: 'pass', why: 'sales are fine', value: 12.5, baseline: 12 },
    });
    const [heard] = server.heard;
    expect(heard).toMatchObject({ method: 'POST', target: '/gates/sales' });
    expect(heard?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(heard?.body ?? '')).toEqual({
      ...{ gate: 'sales', installation: 'main/1', address: 'acme/prod/checkout:limits' },
      ...{ release: '0123456789abcdef', version: 7, stableVersion: 6, stage: 1, stages: 3 },
      ...{ candidates: 12, workloads: ['checkout', 'search'] },
    });
    const { headers, body = '' } = heard ?? {};
    const id = String(headers?.['webhook-id']);
    const time = String(headers?.['webhook-timestamp']);
    expect(id).toMatch(/^gate_[0-9a-f-]{36}$/);
    expect(Math.abs(Number(time) - Date.now() / 1_000)).toBeLessThan(300);
    const hmac = createHmac('sha256', KEY).update(`${id}.${time}.${body}`).digest('base64');
    expect(headers?.['webhook-signature']).toBe(`v1,${hmac}`);
  });

  it('signs nothing without a secret, and names each question anew', async () => {
    await ask();
    await ask();
    const ids = server.heard.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(2);
    expect(server.heard[0]?.headers).not.toHaveProperty('webhook-signature');
  });

  it.each([
    [200, '', 'pass', 'it answers 200'],
    [204, '', 'pass', 'it answers 204'],
    [200, ' \n', 'pass', 'it answers 200'],
    [201, '{"outcome":"pass"}', 'pass', 'it agrees'],
    [200, '{"outcome":"fail"}', 'fail', 'it does not agree'],
    [200, '{"outcome":"fail","why":"no\\u0007\\nsales"}', 'fail', 'no sales'],
    [200, '{"outcome":"fail","why":7,"value":"9"}', 'fail', 'it does not agree'],
    [200, '{"outcome":"inconclusive"}', 'inconclusive', 'it cannot say'],
    [200, '{"outcome":"Pass"}', 'inconclusive', 'it answers 200 without an outcome'],
    [200, '{"outcome":["pass"]}', 'inconclusive', 'it answers 200 without an outcome'],
    [200, '{}', 'inconclusive', 'it answers 200 without an outcome'],
    [200, '"pass"', 'inconclusive', 'it answers 200 without an outcome'],
    [200, 'null', 'inconclusive', 'it answers 200 without an outcome'],
    [200, 'ok', 'inconclusive', 'it answers 200 without an outcome'],
    [200, '<html>log in', 'inconclusive', 'it answers 200 without an outcome'],
    [400, '{"outcome":"pass"}', 'inconclusive', 'it answers 400'],
    [404, '', 'inconclusive', 'it answers 404'],
    [500, '{"outcome":"fail"}', 'inconclusive', 'it answers 500'],
    [503, '', 'inconclusive', 'it answers 503'],
  ])('takes %d %j as %s', async (status, body, outcome, why) => {
    server.answer = (_, response) => response.writeHead(status).end(body);
    expect(await ask()).toEqual({ outcome, why });
  });

  it('cuts off what is said at length, and numbers that are none', async () => {
    const why = `${'x'.repeat(299)}😀${'y'.repeat(1_000)}`;
    server.says(200, `{"outcome":"fail","why":${JSON.stringify(why)},"value":1e999}`);
    const answer = await ask();
    expect(answer).not.toHaveProperty('value');
    expect(answer.why).toBe(`${'x'.repeat(299)}\uFFFD…`);
  });

  it('does not follow redirects', async () => {
    const other = await LoopbackServer.start();
    server.says(302, '', { location: `${other.url}/gates` });
    const why = 'it answers 302: redirects are not followed';
    expect(await ask()).toEqual({ outcome: 'inconclusive', why });
    expect(other.heard).toEqual([]);
    await other.close();
  });

  it('calls nobody that it may not call', async () => {
    for (const path of ['/admin', '/gates/../admin', '/gatesx']) {
      const answer = await ask(gate(`${server.url}${path}`));
      const why = `its URL is none that PAWL_GATE_URLS allows: ${server.url}/gates`;
      expect(answer).toEqual({ outcome: 'inconclusive', why });
    }
    expect(server.heard).toEqual([]);
  });

  it('ends with its signal', async () => {
    const ends = new AbortController();
    server.answer = (_, response) => {
      response.write('{"outcome":"pass"', () => ends.abort());
    };
    expect(await ask(gate(), { signal: ends.signal })).toEqual({
      ...{ outcome: 'inconclusive', why: 'it did not answer in time' },
    });
  });

  it('reads no more than a MiB', async () => {
    server.says(200, `{"outcome":"pass","why":"${'x'.repeat(1024 * 1024)}"}`);
    const why = 'it answers with more than 1 MiB';
    expect(await ask()).toEqual({ outcome: 'inconclusive', why });
  });
});
