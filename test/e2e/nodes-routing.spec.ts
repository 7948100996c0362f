import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { NodeCluster } from '../support/node-cluster.js';

let cluster: NodeCluster;
/** One address of a shard of each node, by the node. */
let addresses: ReadonlyMap<string, string>;

beforeAll(async () => {
  cluster = await NodeCluster.start({ env: { PAWL_LEASE_TTL_MS: '3000' } });
  const shards = await cluster.settled();
  addresses = new Map(
    cluster.ids.map((id) => [id, `${cluster.rootsOf(id, shards, 1).join('')}/app`]),
  );
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(cluster.logs());
});

afterAll(() => cluster?.stop());

const addressOf = (owner: string): string => addresses.get(owner) ?? '';

/** What one node answers, as text; its status first. */
async function ask(id: string, path: string, init: RequestInit = {}): Promise<string> {
  const answer = await fetch(`${cluster.node(id).url}${path}`, {
    signal: AbortSignal.timeout(20_000),
    ...init,
  });
  return `${answer.status} ${await answer.text()}`;
}

const put = (id: string, at: string, document: object, headers: Record<string, string>) =>
  ask(id, `/v1/config/${at}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(document),
  });

it('takes any request on any node, and every node answers alike', async () => {
  for (const owner of cluster.ids) {
    const at = addressOf(owner);
    for (const [index, id] of cluster.ids.entries()) {
      const expected = index === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${index}"` };
      const status = index === 0 ? /^201/ : /^200/;
      expect(await put(id, at, { n: index + 1 }, expected)).toMatch(status);
      expect(await put(id, at, { n: 9 }, expected)).toMatch(/^412.*"currentVersion":/);
      const { stableVersion } = await cluster.admin(id).release(at, { action: 'promote' });
      expect(stableVersion).toBe(index + 1);
    }
    for (const path of [
      `/v1/config/${at}`,
      `/v1/config/${at}?version=1`,
      `/v1/release/${at}`,
      `/v1/effective/${at}?explain=true`,
      `/v1/rollout/${at}`,
      `/v1/consumers/${at}`,
      '/v1/scopes?limit=1000',
      '/v1/audit?limit=5',
      `/v1/history/${at}?limit=2`,
      `/v1/diff/${at}?from=1&to=3`,
      `/v1/config/${at}/nothing`,
    ]) {
      const [first, ...others] = await Promise.all(cluster.ids.map((id) => ask(id, path)));
      expect(first, path).toMatch(/^(200|404)/);
      expect(others, path).toEqual([first, first]);
    }
  }
});

it('carries documents and answers of any size between nodes', async () => {
  const entries = Array.from({ length: 20_000 }, (_, at) => [`key-${at}`, `value ${at} äöü`]);
  const document = Object.fromEntries(entries) as object;
  const at = `${addressOf('node-2')}/large`;
  expect(await put('node-1', at, document, { 'if-none-match': '*' })).toMatch(/^201/);
  await cluster.admin('node-3').release(at, { action: 'promote' });
  const [own, other] = await Promise.all([
    ask('node-2', `/v1/effective/${at}?explain=true`),
    ask('node-3', `/v1/effective/${at}?explain=true`),
  ]);
  expect(other === own).toBe(true);
  expect(own.length).toBeGreaterThan(2_000_000);
});

it('knows a request by its Idempotency-Key, whichever node it comes to', async () => {
  const at = `${addressOf('node-3')}/keyed`;
  const key = { 'if-none-match': '*', 'idempotency-key': 'once' };
  const answers = [];
  for (const id of cluster.ids) answers.push(await put(id, at, { n: 1 }, key));
  expect(answers[0]).toMatch(/^201/);
  expect(answers).toEqual([answers[0], answers[0], answers[0]]);
  expect(await put('node-1', at, { n: 2 }, key)).toMatch(/^422/);
});

it('shows consumers and their rollout on any node, also to who follows it', async () => {
  const at = addressOf('node-1');
  const pawl = await cluster.connectSdk({ workload: 'app', consumerId: 'one' });
  const scope = await pawl.open<{ n: number }>(at);
  await eventually(() => expect(scope.current).toEqual({ n: 3 }));
  const stop = new AbortController();
  const stream = await fetch(`${cluster.node('node-3').url}/v1/rollout/${at}`, {
    headers: { accept: 'text/event-stream' },
    signal: stop.signal,
  });
  let text = '';
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream.body ?? []) text += decoder.decode(chunk as Uint8Array);
  })().catch(() => undefined);
  expect(await put('node-2', at, { n: 4 }, { 'if-match': '"3"' })).toMatch(/^200/);
  await cluster.admin('node-2').release(at, { action: 'promote' });
  await eventually(() => expect(scope.current).toEqual({ n: 4 }));
  await eventually(() => {
    const last = text.split('\n').findLast((line) => line.startsWith('data: ')) ?? 'data: {}';
    expect(JSON.parse(last.slice(6))).toMatchObject({
      converged: true,
      consumers: { live: 1, applied: 1, byVersion: { [scope.version]: 1 } },
    });
  });
  stop.abort();
  await reading;
});

it('merges from an address of one node onto that of another, whichever is asked', async () => {
  const [one = '', two = '', three = ''] = cluster.ids;
  const [from, to] = [`${addressOf(one)}/staging`, `${addressOf(two)}/merged`];
  const admin = cluster.admin(three);
  const large = 'x'.repeat(400_000);
  await admin.putConfig(from, { json: { large, n: 1 } });
  expect(await admin.merge(to, { from })).toMatchObject({ version: 1 });
  await admin.putConfig(from, { json: { large, n: 2 } }, { expect: 1 });
  const merged = await cluster.admin(one).merge(to, { from }, { expect: 1 });
  const origin = { address: from, version: 2, baseVersion: 1 };
  expect(merged).toMatchObject({ version: 2, origin });
  const { document } = await cluster.admin(two).getConfig(to);
  expect(document).toEqual({ large, n: 2 });
  const diff = await cluster.admin(two).diffWith(from, { with: to, from: 1 });
  expect(diff.patch).toEqual([{ op: 'replace', path: '/n', value: 2 }]);
});

it('finishes, once, what was asked for while the owner was killed', async () => {
  const at = addressOf('node-2');
  await cluster.node('node-2').kill();
  const writing = put('node-1', at, { n: 5 }, { 'if-match': '"3"' });
  // The dead owner's lease lasts for seconds: nobody owns the shard now.
  for (const path of [`/v1/rollout/${at}`, `/v1/consumers/${at}`]) {
    expect(await ask('node-3', path)).toMatch(/^200 .*"asOf":"/);
  }
  expect(await writing).toMatch(/^200/);
  const rollout = await cluster.admin('node-3').rollout(at);
  expect([rollout.published?.version, rollout.asOf]).toEqual([expect.any(Number), undefined]);
  const { items } = await cluster.admin('node-3').history(at);
  const versions = items.filter(({ kind }) => kind === 'definition').map(({ version }) => version);
  expect(versions).toEqual([4, 3, 2, 1]);
  await cluster.node('node-2').start();
});

it('answers within its deadline that nobody owns a shard, once no other node is left', async () => {
  // What it had before it was killed may be another's by now.
  const [root = ''] = cluster.rootsOf('node-2', await cluster.settled(), 1);
  await cluster.node('node-2').kill();
  await cluster.node('node-3').kill();
  const path = `/v1/release/${root}/app`;
  const answer = await fetch(`${cluster.node('node-1').url}${path}`);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).not.toBeNull();
  expect(await answer.json()).toMatchObject({ code: 'no-owner' });
});
