import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExternalGate } from '@pawl/contracts';
import type { ProbeAnswer } from '@pawl/engine';
import { PrometheusProbe } from './prometheus-probe.js';
import { LoopbackServer } from './testing/loopback-server.js';
import { RELEASE } from './testing/probed-release.js';

let server: LoopbackServer;
beforeEach(async () => {
  server = await LoopbackServer.start();
});
afterEach(() => server.close());

const gate = (more: Partial<ExternalGate> = {}): ExternalGate => ({
  ...{ kind: 'prometheus', name: 'errors', query: 'f{s="{{scope}}"}', max: 1 },
  ...more,
});
const ask = (
  asked = gate(),
  options: { url?: string; token?: string; signal?: AbortSignal } = {},
): Promise<ProbeAnswer> => {
  const { url = server.url, token = null, signal = new AbortController().signal } = options;
  return new PrometheusProbe({ url, token }).probe(asked, RELEASE, signal);
};
const vector = (...values: string[]): object => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: values.map((value) => ({ metric: {}, value: [1_700_000_000.5, value] })),
  },
});
const data = (resultType: string, result: unknown): object => ({
  status: 'success',
  data: { resultType, result },
});
/** Answers each query by its text. */
const answers = (of: Record<string, object>): void => {
  server.answer = ({ body }, response) => {
    const query = new URLSearchParams(body).get('query') ?? '';
    response.end(JSON.stringify(of[query] ?? vector()));
  };
};

describe('PrometheusProbe', () => {
  it('posts the query, filled in, and takes the one sample of its answer', async () => {
    server.says(200, vector('0.5'));
    expect(await ask()).toEqual({ outcome: 'pass', value: 0.5, why: '0.5' });
    expect(server.heard).toMatchObject([
      {
        ...{ method: 'POST', target: '/api/v1/query' },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ query: 'f{s="acme/prod/checkout"}' }).toString(),
      },
    ]);
    expect(server.heard[0]?.headers).not.toHaveProperty('authorization');
  });

  it('takes a scalar too, and judges', async () => {
    server.says(200, data('scalar', [1_700_000_000, '2']));
    expect(await ask()).toEqual({ outcome: 'fail', value: 2, why: '2, at most 1 is allowed' });
  });

  it('keeps path and query of the base, and says who it is', async () => {
    server.says(200, vector('0'));
    const url = `http://us%40er:p%3Aä@${server.host}/prom/?dedup=true`;
    await ask(gate(), { url });
    await ask(gate(), { url: `${server.url}/prom`, token: 'secret' });
    expect(server.heard.map(({ target }) => target)).toEqual([
      '/prom/api/v1/query?dedup=true',
      '/prom/api/v1/query',
    ]);
    expect(server.heard.map(({ headers }) => headers.authorization)).toEqual([
      `Basic ${Buffer.from('us@er:p:ä').toString('base64')}`,
      'Bearer secret',
    ]);
  });

  it.each([
    ['no sample', vector(), 'gives no data'],
    ['several', vector('1', '2'), 'gives 2 samples, aggregate them to one'],
    ['NaN', vector('NaN'), 'gives NaN'],
    ['an infinity', vector('+Inf'), 'gives +Inf'],
    ['a matrix', data('matrix', []), 'gives a matrix, no vector or scalar'],
    ['a text', data('string', [1, 'x']), 'gives a string, no vector or scalar'],
    ['a histogram', data('vector', [{ metric: {}, histogram: [1, {}] }]), 'gives no number'],
    ['nothing of a vector', data('vector', [null]), 'gives no number'],
    ['something else', { ok: true }, 'answers 200, and not as Prometheus does'],
    ['no data', { status: 'success', data: null }, 'answers 200, and not as Prometheus does'],
    ['no JSON', '<html>log in', 'answers 200, and not as Prometheus does'],
    ['a list', '[]', 'answers 200, and not as Prometheus does'],
  ])('knows nothing of %s', async (_, body, why) => {
    server.says(200, body);
    expect(await ask()).toEqual({ outcome: 'inconclusive', why: `the query ${why}` });
  });

  it.each([
    [400, 'bad_data', 'parse error:\n unclosed', 'is not understood: parse error: unclosed'],
    [422, 'execution', 'many-to-many matching', 'fails: many-to-many matching'],
    [503, 'timeout', 'query timed out', 'fails: query timed out'],
  ])('names what Prometheus says with %d', async (status, errorType, error, why) => {
    server.says(status, { status: 'error', errorType, error });
    expect(await ask()).toEqual({ outcome: 'inconclusive', why: `the query ${why}` });
  });

  it.each([
    [401, 'answers 401: check user and token'],
    [403, 'answers 403: check user and token'],
    [404, 'answers 404'],
    [500, 'answers 500'],
    [502, 'answers 502'],
  ])('knows nothing when it is answered %d', async (status, why) => {
    server.says(status, 'no');
    expect(await ask()).toEqual({ outcome: 'inconclusive', why: `the query ${why}` });
  });

  it('does not follow redirects', async () => {
    const other = await LoopbackServer.start();
    server.says(307, '', { location: `${other.url}/api/v1/query` });
    const answer = await ask();
    expect(answer.why).toBe('the query answers 307: redirects are not followed');
    expect(other.heard).toEqual([]);
    await other.close();
  });

  it('reads no more than a MiB', async () => {
    let written = 0;
    server.answer = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) written += 65_536;
        written += 65_536;
      };
      response.on('drain', more);
      more();
    };
    expect(await ask()).toEqual({
      ...{ outcome: 'inconclusive', why: 'the query answers with more than 1 MiB' },
    });
    expect(written).toBeLessThan(16 * 1024 * 1024);
  });

  it('ends with its signal: no answer, and one that never ends', async () => {
    for (const begin of [false, true]) {
      const ends = new AbortController();
      server.answer = (_, response) => {
        if (begin) response.write('{"status":');
        setImmediate(() => ends.abort());
      };
      expect(await ask(gate(), { signal: ends.signal })).toEqual({
        ...{ outcome: 'inconclusive', why: 'the query did not answer in time' },
      });
    }
    expect(await ask(gate(), { signal: AbortSignal.abort() })).toMatchObject({
      ...{ outcome: 'inconclusive', why: 'the query did not answer in time' },
    });
  });

  it('says when nobody is there, or hangs up, without its password', async () => {
    const gone = await LoopbackServer.start();
    const url = `http://me:hunter2@${gone.host}`;
    await gone.close();
    const { outcome, why } = await ask(gate(), { url });
    expect([outcome, why]).toEqual(['inconclusive', expect.stringContaining('ECONNREFUSED')]);
    expect(why).not.toContain('hunter2');
    server.answer = (_, response) => void response.destroy();
    expect((await ask()).why).toMatch(/^the query does not answer: /);
  });

  it.each(['', JSON.stringify(vector('0'))])(
    'takes no answer that is cut off: %j',
    async (text) => {
      for (const length of [undefined, 10_000]) {
        server.answer = (_, response) => {
          if (length !== undefined) response.setHeader('content-length', length);
          response.setHeader('connection', 'close');
          response.flushHeaders();
          response.write(text, () => response.destroy());
        };
        expect(await ask()).toEqual({
          ...{ outcome: 'inconclusive', why: 'the query does not answer: aborted' },
        });
      }
    },
  );

  it('keeps no connection', async () => {
    server.says(200, vector('0'));
    await ask();
    await ask();
    expect(server.connections).toBe(2);
    await expect.poll(() => server.open).toBe(0);
  });
});

describe('with a baseline', () => {
  const both = gate({ query: 'a', baselineQuery: 'b', maxRatio: 2, max: 10 });

  it('compares the candidates with it', async () => {
    answers({ a: vector('3'), b: vector('1') });
    expect(await ask(both)).toEqual({
      ...{ outcome: 'fail', value: 3, baseline: 1 },
      why: '3 over 1: 3 times it, at most 2 times it is allowed',
    });
    answers({ a: vector('1.5'), b: vector('1') });
    expect(await ask(both)).toMatchObject({ outcome: 'pass', value: 1.5, baseline: 1 });
  });

  it('knows nothing without it, unless the candidates are out of their own bounds', async () => {
    answers({ a: vector('3') });
    const why = 'the query of the baseline gives no data';
    expect(await ask(both)).toEqual({ outcome: 'inconclusive', value: 3, why });
    answers({ a: vector('30') });
    expect(await ask(both)).toMatchObject({ outcome: 'fail', value: 30 });
    answers({ b: vector('1') });
    expect(await ask(both)).toEqual({
      ...{ outcome: 'inconclusive', why: 'the query gives no data' },
    });
  });

  it('judges by their own bounds in the last stage, where there is no rest', async () => {
    const probe = new PrometheusProbe({ url: server.url, token: null });
    const last = { ...RELEASE, stage: 2 };
    const askLast = (): Promise<ProbeAnswer> =>
      probe.probe(both, last, new AbortController().signal);
    for (const b of [vector(), vector('NaN')]) {
      answers({ a: vector('3'), b });
      expect(await askLast()).toEqual({
        ...{ outcome: 'pass', value: 3, why: '3: there is no rest in the last stage' },
      });
    }
    answers({ a: vector('30'), b: vector() });
    expect(await askLast()).toMatchObject({ outcome: 'fail' });
    answers({ a: vector('3'), b: { status: 'error', errorType: 'execution', error: 'x' } });
    expect(await askLast()).toMatchObject({ outcome: 'inconclusive' });
    answers({ a: vector('30'), b: vector('1') });
    expect(await askLast()).toMatchObject({ outcome: 'fail', baseline: 1 });
  });
});
