import { Metrics } from '@pawl/platform';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemberHttp } from './member-http.js';

let server: MemberHttp;
let problem: string | null;

const metrics = new Metrics();
metrics.gauge({ name: 'pawl_quorum_term', help: 'Term' }, () => 7);
const view = { metrics, health: () => Promise.resolve(problem) };

beforeEach(async () => {
  problem = null;
  server = new MemberHttp({ host: '127.0.0.1', port: 0 });
  await server.listen();
});

afterEach(() => server.close());

const get = (path: string, method = 'GET') => fetch(`${server.url}${path}`, { method });

it('answers probes as etcd does', async () => {
  server.show(view);
  const fine = await get('/health?x=1');
  expect([fine.status, await fine.json()]).toEqual([200, { health: 'true', reason: '' }]);
  problem = 'nobody leads';
  const ill = await get('/health');
  expect([ill.status, await ill.json()]).toEqual([503, { health: 'false', reason: problem }]);
});

it('shows metrics, and nothing else', async () => {
  server.show(view);
  const answer = await get('/metrics');
  expect(answer.headers.get('content-type')).toContain('text/plain');
  expect(await answer.text()).toContain('pawl_quorum_term 7');
  expect((await get('/')).status).toBe(404);
  expect((await get('/health', 'POST')).status).toBe(405);
});

it('says that the member starts before there is anything to show', async () => {
  const health = await get('/health');
  const starts = { health: 'false', reason: 'the member starts' };
  expect([health.status, await health.json()]).toEqual([503, starts]);
  expect((await get('/metrics')).status).toBe(503);
});

it('says which port it cannot have', async () => {
  const { port } = new URL(server.url);
  const second = new MemberHttp({ host: '127.0.0.1', port: Number(port) });
  await expect(second.listen()).rejects.toThrow(
    `Cannot listen on 127.0.0.1:${port} for health and metrics: something else does`,
  );
});
