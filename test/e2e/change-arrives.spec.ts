import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RolloutView } from '@pawl/contracts';
import type { AppliedEvent, Pawl, Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { startStack, type TestStack } from '../support/stack.js';

interface CheckoutConfig {
  readonly currency: string;
  readonly limits: { readonly maxItems: number };
}

const FLEET = 20;
const FIRST = { limits: { maxItems: 20 } };

let stack: TestStack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.stop());

const converged = (address: string, live: number): Promise<RolloutView> =>
  stack.converged(address, live);

describe('one change', () => {
  let scope: Scope<CheckoutConfig>;
  const applied: AppliedEvent[] = [];

  it('is written, promoted, applied by a consumer and acknowledged', async () => {
    const root = await stack.send({
      method: 'PUT',
      path: '/v1/config/acme?message=everywhere',
      headers: { 'x-pawl-actor': 'ada' },
      body: '{"currency":"EUR","limits":{"maxItems":5}}',
    });
    expect(root.status).toBe(201);
    expect(root.headers.get('etag')).toBe('"1"');
    expect(root.headers.get('location')).toBe('/v1/config/acme');
    expect(root.json()).toMatchObject({ address: 'acme', version: 1, author: 'ada', warnings: [] });
    await stack.admin('ada').release('acme', { action: 'promote' });

    const ada = stack.admin('ada');
    await ada.putConfig('acme/prod/checkout', { json: FIRST }, { expect: 'none' });
    const release = await ada.release('acme/prod/checkout', { action: 'promote' });
    expect(release).toMatchObject({ state: 'idle', releaseVersion: 1, stableVersion: 1 });

    const pawl = await stack.connectSdk({ consumerId: 'till-1', labels: { region: 'eu' } });
    scope = await pawl.open<CheckoutConfig>('acme/prod/checkout');
    // What was promoted is published a moment after its answer.
    const rollout = await converged('acme/prod/checkout', 1);
    expect(scope.current).toEqual({ currency: 'EUR', limits: { maxItems: 20 } });
    scope.on('applied', (event) => applied.push(event));
    expect(rollout.published?.version).toBe(scope.version);
    expect(rollout.consumers.byVersion).toEqual({ [scope.version]: 1 });
    const { items } = await ada.consumers('acme/prod/checkout');
    expect(items).toMatchObject([
      {
        workload: 'checkout',
        consumerId: 'till-1',
        labels: { region: 'eu' },
        slot: 0,
        state: 'applied',
      },
    ]);
  });

  it('is edited: nothing arrives before the promotion, then the whole edit does', async () => {
    const grace = stack.admin('grace');
    const before = scope.version;
    const written = await grace.putConfig(
      'acme/prod/checkout',
      { json: { limits: { maxItems: 30 } } },
      { expect: 1, message: 'more' },
    );
    expect(written.version).toBe(2);
    expect((await grace.effective('acme/prod/checkout')).snapshotVersion).toBe(before);
    await grace.release('acme/prod/checkout', { action: 'promote', expectedReleaseVersion: 1 });
    await eventually(() => expect(scope.current.limits.maxItems).toBe(30));
    expect(applied).toEqual([
      {
        version: scope.version,
        previous: before,
        changedPaths: ['limits.maxItems'],
        lowered: false,
      },
    ]);
    const rollout = await converged('acme/prod/checkout', 1);
    expect(rollout.propagationMs.max).toBeGreaterThanOrEqual(0);
  });

  it('arrives from an ancestor, and at an address that nobody has written', async () => {
    const below = await (
      await stack.connectSdk({ consumerId: 'till-eu', workload: 'checkout-eu' })
    ).open<CheckoutConfig>('acme/prod/checkout/eu');
    expect(below.current).toEqual({ currency: 'EUR', limits: { maxItems: 30 } });
    const ada = stack.admin('ada');
    await ada.patchConfig(
      'acme',
      { kind: 'merge-patch', body: { json: { currency: 'SEK' } } },
      { expect: 1 },
    );
    await ada.release('acme', { action: 'promote' });
    await eventually(() => {
      expect(scope.current.currency).toBe('SEK');
      expect(below.current).toEqual({ currency: 'SEK', limits: { maxItems: 30 } });
    });
    await converged('acme/prod/checkout', 1);
    await converged('acme/prod/checkout/eu', 1);
  });

  it('is explained: which address, version and author set each value', async () => {
    const effective = await stack.admin().effective('acme/prod/checkout', { explain: true });
    expect(effective.document).toEqual(scope.current);
    expect(effective.snapshotVersion).toBe(scope.version);
    expect(effective.explain).toEqual({
      '/currency': { address: 'acme', version: 2, author: 'ada' },
      '/limits/maxItems': { address: 'acme/prod/checkout', version: 2, author: 'grace' },
    });
  });

  it('is rolled back, and the consumer knows that it went down', async () => {
    const before = scope.version;
    const ada = stack.admin('ada');
    const release = await ada.release('acme/prod/checkout', {
      action: 'rollback',
      targetVersion: 1,
      reason: 'too many',
    });
    expect(release).toMatchObject({ state: 'idle', stableVersion: 1, releaseVersion: 3 });
    await eventually(() => expect(scope.current.limits.maxItems).toBe(20));
    expect(scope.version).toBeGreaterThan(before);
    expect(applied.at(-1)).toMatchObject({ lowered: true, changedPaths: ['limits.maxItems'] });
    await converged('acme/prod/checkout', 1);
  });

  it('leaves its history, newest first, page by page', async () => {
    const { items } = await stack.admin().history('acme/prod/checkout');
    expect(items).toMatchObject([
      { kind: 'release', author: 'ada', action: 'rollback', releaseVersion: 3, reason: 'too many' },
      { kind: 'release', author: 'grace', action: 'promote', releaseVersion: 2 },
      { kind: 'definition', author: 'grace', version: 2, message: 'more' },
      { kind: 'release', author: 'ada', action: 'promote', releaseVersion: 1 },
      { kind: 'definition', author: 'ada', version: 1 },
    ]);
    const first = await stack.admin().history('acme/prod/checkout', { limit: 2 });
    const second = await stack.admin().history('acme/prod/checkout', {
      limit: 10,
      cursor: first.next ?? '',
    });
    expect([...first.items, ...second.items]).toEqual(items);
    expect(second.next).toBeUndefined();
    expect((await stack.admin().diff('acme/prod/checkout', 1, 2)).patch).toEqual([
      { op: 'replace', path: '/limits/maxItems', value: 30 },
    ]);
  });

  it('is previewed without a trace', async () => {
    const truth = await stack.truth();
    const preview = await stack.admin().preview('acme', { document: { currency: 'NOK' } });
    expect(preview).toMatchObject({ valid: true, errors: [] });
    expect(preview.addresses).toContainEqual({
      address: 'acme/prod/checkout',
      changed: true,
      valid: true,
      consumers: 1,
    });
    expect(await stack.truth()).toBe(truth);
  });

  it('is counted', async () => {
    const { text, status } = await stack.send({ path: '/metrics' });
    expect(status).toBe(200);
    expect(text).toMatch(/^pawl_publish_to_apply_seconds_count [1-9]/m);
    expect(text).toMatch(/^pawl_applied_versions_total [1-9]/m);
    expect(text).toMatch(/^pawl_live_consumers 2$/m);
    expect(text).toMatch(/^pawl_pending_publications 0$/m);
    expect(text).not.toMatch(/^pawl_incidents_total\{/m);
  });
});

describe('the event stream of a rollout', () => {
  it('shows a promotion arrive, in order, and ends with the listener', async () => {
    const admin = stack.admin();
    await admin.putConfig('stream/app', { json: { n: 1 } });
    await admin.release('stream/app', { action: 'promote' });
    const pawl = await stack.connectSdk({ consumerId: 'listener', ackWindowMs: 10 });
    const scope = await pawl.open('stream/app');
    await converged('stream/app', 1);

    const ended = new AbortController();
    const response = await fetch(`${stack.controlPlane.url}/v1/rollout/stream/app`, {
      headers: { accept: 'text/event-stream' },
      signal: ended.signal,
    });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const events = readEvents(response);
    const first = await events.next();
    expect(first.value).toMatchObject({ event: 'rollout', data: { converged: true } });

    await admin.putConfig('stream/app', { json: { n: 2 } }, { expect: 1 });
    await admin.release('stream/app', { action: 'promote' });
    let last = first.value!;
    while (
      last.data.published?.version !== scope.version ||
      !last.data.converged ||
      scope.get('n') === 1
    ) {
      const next = await events.next();
      expect(next.done).toBe(false);
      expect(next.value!.id).toBeGreaterThan(last.id);
      last = next.value!;
    }
    expect(last.data).toEqual(await admin.rollout('stream/app'));
    ended.abort();
    await eventually(async () => {
      expect((await stack.send({ path: '/metrics' })).text).toMatch(/^pawl_event_streams 0$/m);
    });
  });
});

describe('a first rollout to twenty consumers', () => {
  const address = 'shop/prod/checkout';
  const fleet: Scope<CheckoutConfig>[] = [];
  let consumers: Pawl[];

  it('reaches every one of them', async () => {
    const admin = stack.admin('first');
    const schema = {
      type: 'object',
      properties: { limits: { properties: { maxItems: { type: 'integer', maximum: 100 } } } },
    };
    await admin.putSchema(address, { json: schema });
    await admin.putConfig(
      address,
      { json: { currency: 'EUR', limits: { maxItems: 1 } } },
      { expect: 1 },
    );
    await admin.release(address, { action: 'promote' });
    consumers = await Promise.all(
      Array.from({ length: FLEET }, (_, n) =>
        stack.connectSdk({ workload: 'checkout', consumerId: `checkout-${n}` }),
      ),
    );
    fleet.push(...(await Promise.all(consumers.map((pawl) => pawl.open<CheckoutConfig>(address)))));
    await converged(address, FLEET);
    const { items } = await admin.consumers(address);
    expect(items.map(({ slot }) => slot).sort((a, b) => a! - b!)).toEqual(
      Array.from({ length: FLEET }, (_, n) => n),
    );
  });

  it('refuses an edit that the schema refuses, and nobody notices', async () => {
    const versions = fleet.map(({ version }) => version);
    const refused = await stack.send({
      method: 'PUT',
      path: `/v1/config/${address}`,
      headers: { 'if-match': '"2"' },
      body: '{"limits":{"maxItems":"many"}}',
    });
    expect(refused.status).toBe(422);
    expect(refused.problem()).toMatchObject({
      code: 'schema-violation',
      errors: [{ address, pointer: '/limits/maxItems', keyword: 'type' }],
    });
    expect((await stack.admin().getConfig(address)).version).toBe(2);
    expect(fleet.map(({ version }) => version)).toEqual(versions);
  });

  it('rolls an edit out to all and back again', async () => {
    const admin = stack.admin('first');
    await admin.putConfig(
      address,
      { json: { currency: 'EUR', limits: { maxItems: 2 } } },
      { expect: 2 },
    );
    await admin.release(address, { action: 'promote' });
    await eventually(() =>
      expect(new Set(fleet.map(({ current }) => current.limits.maxItems))).toEqual(new Set([2])),
    );
    await admin.release(address, { action: 'rollback', targetVersion: 2 });
    await eventually(() =>
      expect(new Set(fleet.map(({ current }) => current.limits.maxItems))).toEqual(new Set([1])),
    );
    const rollout = await converged(address, FLEET);
    expect(rollout.rejections).toEqual([]);
  });

  it('no longer counts those that have closed', async () => {
    await Promise.all(consumers.slice(0, 5).map((pawl) => pawl.close()));
    await converged(address, FLEET - 5);
    const stale = await stack.admin().consumers(address, { state: 'stale' });
    expect(stale.items).toHaveLength(5);
  });
});

interface RolloutEvent {
  readonly id: number;
  readonly event: string;
  readonly data: RolloutView;
}

/** The events of a stream as they were sent; comments are passed over. */
async function* readEvents(response: Response): AsyncGenerator<RolloutEvent, undefined> {
  const decoder = new TextDecoder();
  let buffered = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    buffered += decoder.decode(chunk, { stream: true });
    const blocks = buffered.split('\n\n');
    buffered = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const data = field('data');
      if (data === undefined) continue;
      yield {
        id: Number(field('id')),
        event: field('event') ?? '',
        data: JSON.parse(data) as RolloutView,
      };
    }
  }
}
