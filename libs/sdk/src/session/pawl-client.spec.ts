import type { Hello } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { ClientWorld, helloReply } from '../testing/client-world.js';
import { FakeLink } from '../testing/fake-link.js';
import { ADDRESS } from '../testing/make-snapshot.js';
import type { StaleEvent } from '../types.js';

let world: ClientWorld;

beforeEach(() => {
  world = new ClientWorld();
});

describe('reconnect and silence', () => {
  it('reads what was missed after a reconnect, spread', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const scope = await world.client().open(ADDRESS);
    world.link.become('down');
    world.put({ version: 2 });
    world.link.become('up');
    await world.turns();
    expect(scope.version).toBe(1);
    await world.after(1_010);
    expect(scope.version).toBe(2);
  });

  it('spreads the heartbeats after a reconnect', async () => {
    world.link.become('up');
    world.link.respond = () => helloReply([]);
    world.put({ version: 1 });
    await world.client().open(ADDRESS);
    await world.after(100);
    const hellos = world.link.requested.length;
    world.link.become('down');
    world.link.become('up');
    await world.after(20);
    expect(world.link.requested.length).toBe(hellos);
    await world.after(1_000);
    expect(world.link.requested.length).toBe(hellos + 1);
  });

  it('goes on from the file to the network once it is back', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const first = world.client();
    await first.open(ADDRESS);
    await first.close();
    world.link = new FakeLink();
    world.link.become('down');
    const scope = await world.client().open(ADDRESS);
    expect(scope.version).toBe(1);
    world.put({ version: 2 });
    world.link.become('up');
    await world.after(1_010);
    expect(scope.version).toBe(2);
  });

  it('is stale after a silence and says when it is over', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const scope = await world.client().open(ADDRESS);
    const events: StaleEvent[] = [];
    scope.on('stale', (event) => events.push(event));
    await world.after(29_000);
    expect(events).toEqual([]);
    await world.after(35_000);
    expect(events).toHaveLength(1);
    expect(events[0]?.stale).toBe(true);
    world.push({ version: 2 });
    expect(events).toHaveLength(2);
    expect(events[1]?.stale).toBe(false);
    expect(events[1]?.silentMs).toBeGreaterThanOrEqual(30_000);
  });
});

describe('addresses below one root', () => {
  it('are refused when a heartbeat has no room for them, and only there and then', async () => {
    world.link.become('up');
    world.link.respond = () => helloReply([]);
    const long = ['acme', ...Array.from({ length: 7 }, () => 'a'.repeat(63))].join('/');
    const pawl = world.client();
    const codes: unknown[] = [];
    for (let n = 0; n < 1_000; n += 1) {
      const address = `${long}:${String(n).padStart(63, '0')}`;
      pawl.open(address).catch(({ code }: { code: unknown }) => codes.push(code));
    }
    const other = `other${long.slice('acme'.length)}:z`;
    pawl.open(other).catch(() => undefined);
    await world.after(100);
    const refused = codes.length;
    expect(new Set(codes)).toEqual(new Set(['too-many-scopes']));
    const [hello, second] = world.link.requested.map(({ message }) => message as Hello);
    expect(hello?.runs).toHaveLength(1_000 - refused);
    expect(refused).toBeLessThan(500);
    expect(second?.runs).toMatchObject([{ address: other }]);
    await world.after(10_000);
    const again = expect(pawl.open(`${long}:z`)).rejects.toMatchObject({ code: 'no-snapshot' });
    await world.after(10_010);
    await again;
  });
});

describe('close', () => {
  it('sends what waits, says goodbye and stops everything', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const pawl = world.client();
    const scope = await pawl.open(ADDRESS);
    await pawl.close();
    expect(world.acks()).toHaveLength(1);
    const goodbye = world.link.published.at(-1);
    expect(goodbye?.subject).toBe('pawl.main.hello.acme.checkout.c1');
    expect(goodbye?.message).toMatchObject({ leaving: true, runs: [{ version: 1 }] });
    expect(world.link.subjects).toEqual([]);
    const sent =
      world.link.published.length + world.link.requested.length + world.link.reads.length;
    await world.after(120_000);
    expect(
      world.link.published.length + world.link.requested.length + world.link.reads.length,
    ).toBe(sent);
    expect(scope.version).toBe(1);
    await expect(pawl.open(ADDRESS)).rejects.toMatchObject({ code: 'closed' });
    await pawl.close();
  });

  it('resolves within its bound when nothing answers any more', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const pawl = world.client();
    await pawl.open(ADDRESS);
    world.link.flushes = () => new Promise(() => undefined);
    world.link.closes = () => new Promise(() => undefined);
    world.store.close = () => new Promise(() => undefined);
    let closed = false;
    void pawl.close().then(() => (closed = true));
    await world.after(1_900);
    expect(closed).toBe(true);
  });

  it('applies nothing afterwards, whatever was under way', async () => {
    world.link.become('up');
    world.put({ version: 1 });
    const pawl = world.client();
    const scope = await pawl.open(ADDRESS);
    let release: () => void = () => undefined;
    world.store.save = () => new Promise((resolve) => (release = resolve));
    world.push({ version: 2 });
    await world.turns();
    await pawl.close();
    release();
    await world.turns();
    expect(scope.version).toBe(1);
  });

  it('rejects what is still opening', async () => {
    const pawl = world.client();
    const failing = expect(pawl.open(ADDRESS)).rejects.toMatchObject({ code: 'closed' });
    await world.turns();
    await pawl.close();
    await failing;
  });
});
