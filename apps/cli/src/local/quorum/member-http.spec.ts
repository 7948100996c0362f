import { Metrics } from '@pawl/platform';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { serveMemberHttp } from './member-http.js';
import type { MemberHttp } from './member-http.js';

let server: MemberHttp;
let problem: string | null;

beforeEach(async () => {
  problem = null;
  const metrics = new Metrics();
  metrics.gauge({ name: 'pawl_quorum_term', help: 'Term' }, () => 7);
  const listen = { host: '127.0.0.1', port: 0 };
  server = await serveMemberHttp({ listen, metrics, health: () => Promise.resolve(problem) });
});

afterEach(() => server.close());

const get = (path: string, method = 'GET') => fetch(`${server.url}${path}`, { method });

it('answers probes as etcd does', async () => {
  const fine = await get('/health?x=1');
  expect([fine.status, await fine.json()]).toEqual([200, { health: 'true', reason: '' }]);
  problem = 'nobody leads';
  const ill = await get('/health');
  expect([ill.status, await ill.json()]).toEqual([503, { health: 'false', reason: problem }]);
});

it('shows metrics, and nothing else', async () => {
  const answer = await get('/metrics');
  expect(answer.headers.get('content-type')).toContain('text/plain');
  expect(await answer.text()).toContain('pawl_quorum_term 7');
  expect((await get('/')).status).toBe(404);
  expect((await get('/health', 'POST')).status).toBe(405);
});

it('says which port it cannot have', async () => {
  const { port } = new URL(server.url);
  const taken = serveMemberHttp({
    listen: { host: '127.0.0.1', port: Number(port) },
    metrics: new Metrics(),
    health: () => Promise.resolve(null),
  });
  await expect(taken).rejects.toThrow(`cannot listen on 127.0.0.1:${port} for health and metrics`);
});
