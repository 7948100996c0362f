import type { Hello, HelloReply } from '@pawl/contracts';
import { parseMessage } from '@pawl/contracts/validate';
import { beforeEach, describe, expect, it } from 'vitest';
import { ClientWorld, helloReply } from '../testing/client-world.js';
import { ADDRESS, makeRelease } from '../testing/make-snapshot.js';

let world: ClientWorld;

beforeEach(() => {
  world = new ClientWorld();
});

describe('heartbeat', () => {
  it('says what runs, hears what is newest, and reads it after a spread delay', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    let newest: HelloReply['newest'] = [];
    world.link.respond = () => helloReply(newest);
    const scope = await world.client().open(ADDRESS);
    await world.after(100);
    const [first] = world.link.requested;
    expect(first?.subject).toBe('pawl.main.hello.acme.checkout.c1');
    expect(parseMessage('hello', first?.message)).toMatchObject({ ok: true });
    expect(first?.message).toMatchObject({
      incarnation: 'i1',
      labels: { region: 'eu' },
      build: '1.2.3',
    });

    const next = world.put({ version: 2 });
    newest = [{ address: ADDRESS, generation: 1, version: 2, hash: next.hash }];
    await world.after(12_000);
    expect(scope.version).toBe(2);
    const last = world.link.requested.at(-1)?.message as Hello;
    expect(last.runs).toEqual([
      { address: ADDRESS, generation: 1, version: 2, hash: next.hash, highestVersion: 2 },
    ]);
  });

  it('names an address that it does not know yet with version 0', async () => {
    world.link.become('up');
    world.link.respond = () => helloReply([]);
    const failing = expect(world.client().open('acme/prod/checkout/eu')).rejects.toThrow();
    await world.after(100);
    const hello = world.link.requested[0]?.message as Hello;
    expect(hello.runs).toEqual([{ address: 'acme/prod/checkout/eu', generation: 0, version: 0 }]);
    await world.after(10_000);
    await failing;
  });

  it('keeps the interval of the reply, and ignores lower tokens and other installations', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const far = [{ address: ADDRESS, generation: 1, version: 7, hash: '7'.repeat(64) }];
    let answer = helloReply([], { nextHelloMs: 1_000 });
    world.link.respond = () => answer;
    const scope = await world.client().open(ADDRESS);
    const codes: string[] = [];
    scope.on('error', ({ code }) => codes.push(code));
    await world.after(5_500);
    expect(world.link.requested.length).toBeGreaterThanOrEqual(5);
    expect(world.link.requested.length).toBeLessThanOrEqual(7);
    const reads = world.link.reads.length;
    answer = helloReply(far, { nextHelloMs: 1_000, fencingToken: '4' });
    await world.after(3_000);
    answer = helloReply(far, { nextHelloMs: 1_000, fencingToken: '9', installation: 'main/other' });
    await world.after(3_000);
    expect(world.link.reads.length).toBe(reads);
    expect(new Set(codes)).toEqual(new Set(['foreign-installation']));
    answer = helloReply(far, { nextHelloMs: 1_000, fencingToken: '6' });
    await world.after(3_000);
    expect(world.link.reads.length).toBeGreaterThan(reads);
  });

  it('carries a rejection while it is newer than what runs', async () => {
    world.link.become('up');
    world.link.respond = () => helloReply([]);
    world.put({ version: 1 });
    const validate = (_: unknown, { version }: { version: number }) => {
      if (version === 2) throw new Error('x'.repeat(5_000));
    };
    await world.client().open(ADDRESS, { validate });
    world.push({ version: 2 });
    await world.after(6_000);
    const hello = world.link.requested.at(-1)?.message as Hello;
    expect(parseMessage('hello', hello)).toMatchObject({ ok: true });
    expect(hello.runs[0]).toMatchObject({ version: 1, rejected: { generation: 1, version: 2 } });
    world.push({ version: 3 });
    await world.after(6_000);
    expect((world.link.requested.at(-1)?.message as Hello).runs[0]).not.toHaveProperty('rejected');
  });
});

describe('the slot of a reply', () => {
  const named = ['shop/1'];
  /** Slot 1 of the workload is a candidate. */
  const staged = (address: string, version = 1) => ({
    ...{ version, address, document: { is: 'stable' }, cohorts: { r1: { is: 'candidate' } } },
    releases: [makeRelease('r1', 0, { address, stages: [{ basisPoints: 0, named }] })],
  });
  let slots: Record<string, number | null>;
  let token: string;
  const documents = (scopes: readonly { readonly current: unknown }[]) =>
    scopes.map(({ current }) => (current as { readonly is: string }).is);

  beforeEach(() => {
    slots = {};
    token = '5';
    world.link.become('up');
    world.link.respond = (subject) =>
      helloReply([], {
        ...{ slot: slots[subject.split('.')[3]!] ?? null, fencingToken: token, nextHelloMs: 1_000 },
      });
  });

  it('reaches every open address of that root, those opened later too, and no other root', async () => {
    slots = { acme: 1, other: 2 };
    const texts = ['acme/a', 'acme/b:limits', 'other/c', 'acme/later'];
    for (const text of texts) world.put(staged(text));
    const pawl = world.client({ workload: 'shop' });
    const scopes = await Promise.all(texts.slice(0, 3).map((text) => pawl.open(text)));
    expect(documents(scopes)).toEqual(['stable', 'stable', 'stable']);
    await world.after(100);
    expect(documents(scopes)).toEqual(['candidate', 'candidate', 'stable']);
    const later = await pawl.open('acme/later');
    await world.turns();
    expect(documents([later])).toEqual(['candidate']);
    expect(world.store.records.get('acme/later')?.head).toMatchObject({
      ...{ cohort: 'r1', identity: { workload: 'shop', slot: 1, labels: { region: 'eu' } } },
    });
  });

  it('that is another one moves the consumer, unless the token is lower than one seen', async () => {
    slots = { acme: 1 };
    world.put(staged(ADDRESS));
    const scope = await world.client({ workload: 'shop' }).open(ADDRESS);
    await world.after(100);
    token = '4';
    slots = { acme: 2 };
    await world.after(3_000);
    expect(documents([scope])).toEqual(['candidate']);
    token = '6';
    await world.after(3_000);
    expect(documents([scope])).toEqual(['stable']);
    slots = { acme: 1 };
    await world.after(3_000);
    slots = {};
    const events: unknown[] = [];
    scope.on('applied', ({ version, previous, lowered }) =>
      events.push({ version, previous, lowered }),
    );
    await world.after(3_000);
    expect(documents([scope])).toEqual(['stable']);
    expect(events).toEqual([{ version: 1, previous: 1, lowered: false }]);
    expect(scope.version).toBe(1);
  });

  it('decides the cohort that acks and heartbeats tell', async () => {
    slots = { acme: 1 };
    world.put(staged(ADDRESS));
    const validate = (_: unknown, { version }: { version: number }) => {
      if (version === 2) throw new Error('no');
    };
    await world.client({ workload: 'shop' }).open(ADDRESS, { validate });
    await world.after(300);
    world.push(staged(ADDRESS, 2));
    await world.after(2_000);
    const items = world.acks().flatMap((ack) => {
      expect(parseMessage('ack', ack)).toMatchObject({ ok: true });
      return ack.items;
    });
    expect(items.at(0)).toMatchObject({ version: 1, cohort: 'r1', state: 'applied' });
    expect(items.at(-1)).toMatchObject({ version: 2, cohort: 'r1', state: 'rejected' });
    const hello = world.link.requested.at(-1)?.message as Hello;
    expect(parseMessage('hello', hello)).toMatchObject({ ok: true });
    expect(hello.runs[0]).toMatchObject({ version: 1, cohort: 'r1', rejected: { version: 2 } });
    slots = {};
    await world.after(3_000);
    const last = world.link.requested.at(-1)?.message as Hello;
    expect(last.runs[0]).not.toHaveProperty('cohort');
    expect(world.acks().at(-1)?.items[0]).not.toHaveProperty('cohort');
  });
});

describe('acks', () => {
  it('travel together after the callbacks ran, per root', async () => {
    world.link.become('up');
    const addresses = ['acme/a', 'acme/b', 'other/c'];
    for (const text of addresses) world.put({ version: 1, address: text });
    const pawl = world.client();
    await Promise.all(addresses.map((text) => pawl.open(text)));
    expect(world.acks()).toEqual([]);
    await world.after(100);
    expect(world.link.published.map(({ subject }) => subject).sort()).toEqual([
      'pawl.main.ack.acme.a.c1',
      'pawl.main.ack.other.a.c1',
    ]);
    for (const ack of world.acks()) expect(parseMessage('ack', ack)).toMatchObject({ ok: true });
    const ofAcme = world.acks().find(({ items }) => items[0]?.address.startsWith('acme/'));
    expect(ofAcme).toMatchObject({
      incarnation: 'i1',
      items: [
        { address: 'acme/a', version: 1, state: 'applied' },
        { address: 'acme/b', version: 1, state: 'applied' },
      ],
    });
    for (const { ageMs } of ofAcme!.items) expect(ageMs).toBeGreaterThanOrEqual(10);
  });

  it('are sent after the listeners, even when one throws', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const scope = await world.client({ ackWindowMs: 0 }).open(ADDRESS);
    await world.after(10);
    world.link.published.length = 0;
    let ackedBefore = -1;
    scope.on('applied', () => {
      ackedBefore = world.acks().length;
      throw new Error('mine');
    });
    world.push({ version: 2 });
    await world.turns();
    expect(world.acks()).toEqual([]);
    await world.after(10);
    expect(ackedBefore).toBe(0);
    expect(world.acks()).toMatchObject([{ items: [{ version: 2, state: 'applied' }] }]);
  });

  it('are owed only once the listeners ran', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const pawl = world.client();
    const scope = await pawl.open(ADDRESS);
    await world.after(200);
    world.link.published.length = 0;
    // Closing sends what is owed: were version 2 owed already, it would be among it.
    scope.on('applied', () => void pawl.close());
    world.push({ version: 2 });
    await world.turns();
    expect(world.link.published.at(-1)?.message).toMatchObject({ leaving: true });
    expect(world.acks()).toEqual([]);
  });

  it('wait while the link is down', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const pawl = world.client();
    const opening = pawl.open(ADDRESS);
    await opening;
    world.link.become('down');
    await world.after(500);
    expect(world.acks()).toEqual([]);
    world.link.become('up');
    await world.after(200);
    expect(world.acks()).toMatchObject([{ items: [{ version: 1, state: 'applied' }] }]);
    expect(world.acks()[0]?.items[0]?.ageMs).toBeGreaterThanOrEqual(500);
  });
});
