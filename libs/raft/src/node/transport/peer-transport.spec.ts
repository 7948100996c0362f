import { Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AppendRequest } from '../../core/index.js';
import type { PlainMessage } from './message-codec.js';
import {
  append,
  CountingTimer,
  heartbeat,
  joined,
  Member,
  openSockets,
  pair,
  Proxy,
  RawConnection,
  RawServer,
  snapshotMessage,
} from './transport.fixture.js';

const open: { close(): Promise<void> }[] = [];

function closing<T extends Member | RawServer | Proxy>(...all: readonly T[]): T {
  for (const one of all) open.push(one instanceof Member ? one.transport : one);
  return all[0]!;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const one of open.splice(0)) await one.close();
});

const round = (message: PlainMessage): number => ('round' in message ? message.round : -1);

/** A sender whose one peer is a server by hand that answers the handshake. */
async function senderTo(
  limits: Parameters<typeof pair>[0],
  accepted: (connection: RawConnection) => void = (connection) => connection.welcome('b'),
): Promise<{ sender: Member; server: RawServer }> {
  const server = closing(await RawServer.start(accepted));
  const sender = closing(
    await Member.start('a', { limits: limits ?? {}, peers: [{ id: 'b', ...server.address }] }),
  );
  return { sender, server };
}

describe('the peer transport', () => {
  it('delivers in order, both ways at once', async () => {
    const [a, b] = await pair();
    closing(a, b);
    const count = 20_000;
    for (let sent = 0; sent < count; sent += 1) {
      if (sent % 1000 === 999) await new Promise((resolve) => setImmediate(resolve));
      a.transport.send(heartbeat('a', 'b', sent));
      a.transport.send(append(sent, [Buffer.from(`entry ${sent}`)]));
      b.transport.send(heartbeat('b', 'a', sent));
      await b.until(() => b.messages.length > 2 * (sent - 1000));
    }
    await b.until(() => b.messages.length === 2 * count);
    await a.until(() => a.messages.length === count);
    const numbers = Array.from({ length: count }, (_, at) => at);
    expect(a.messages.map(round)).toEqual(numbers);
    expect(b.messages.map(round).filter((one) => one >= 0)).toEqual(numbers);
    const appends = b.messages.filter((one): one is AppendRequest => one.type === 'append');
    expect(appends.map((one) => one.previousIndex)).toEqual(numbers);
    expect(Buffer.from(appends[77]!.entries[0]!.data).toString()).toBe('entry 77');
    expect([...a.problems, ...b.problems, ...a.unreachable, ...b.unreachable]).toEqual([]);
  });

  it('delivers messages far larger than a read or a write', async () => {
    const [a, b] = await pair();
    closing(a, b);
    const data = [3, 7, 5].map((mebibytes) => Buffer.alloc(mebibytes * 1024 * 1024, mebibytes));
    for (const [at, one] of data.entries()) a.transport.send(append(at, [one, Buffer.from('x')]));
    await b.until(() => b.messages.length === 3);
    for (const [at, message] of b.messages.entries()) {
      const [first, second] = (message as AppendRequest).entries;
      expect(Buffer.compare(first!.data, data[at]!)).toBe(0);
      expect(Buffer.from(second!.data).toString()).toBe('x');
    }
  });

  it('writes once per turn, whatever was sent in it', async () => {
    const { sender, server } = await senderTo({ pingMs: 10_000, silenceMs: 20_000 });
    sender.transport.send(heartbeat('a', 'b', 0));
    await server.until(() => server.connections.length === 1);
    const [connection] = server.connections;
    await vi.waitFor(() => {
      sender.transport.send(heartbeat('a', 'b', 0));
      expect(connection!.messages.length).toBeGreaterThan(0);
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = connection!.messages.length;
    const write = vi.spyOn(Socket.prototype, 'write');
    for (let sent = 0; sent < 100; sent += 1) sender.transport.send(heartbeat('a', 'b', sent));
    await connection!.until(() => connection!.messages.length === before + 100);
    expect(write).toHaveBeenCalledTimes(1);
  });

  it('finds a peer again that starts anew, and says once that messages were lost', async () => {
    const b = await Member.start('b');
    const proxy = closing(await Proxy.start(b.address));
    const a = closing(
      await Member.start('a', {
        peers: [{ id: 'b', ...proxy.address }],
        limits: { retryMinMs: 5, retryMaxMs: 20 },
      }),
    );
    b.transport.setPeers([{ id: 'a', ...a.address }]);
    await joined(a, b, ['a', 'b']);
    a.unreachable.length = 0;
    await b.transport.close();
    await a.until(() => a.unreachable.length === 1);
    for (let sent = 0; sent < 50; sent += 1) a.transport.send(heartbeat('a', 'b', sent));
    await a.problem(/b at 127\.0\.0\.1:\d+ closed the connection/);
    const again = closing(await Member.start('b', { peers: [{ id: 'a', ...a.address }] }));
    proxy.target = again.address;
    await joined(a, again, ['a', 'b']);
    expect(a.unreachable).toEqual(['b']);
  });

  it('connects at once when the peer that was away connects here', async () => {
    const a = closing(
      await Member.start('a', { limits: { retryMinMs: 1_000_000, retryMaxMs: 1_000_000 } }),
    );
    const reserved = await RawServer.start((connection) => connection.socket.destroy());
    const at = reserved.address;
    a.transport.setPeers([{ id: 'b', ...at }]);
    await a.problem(/b at .* (closed|ECONNRESET)/);
    await reserved.close();
    const b = closing(await Member.start('b', { listen: at, peers: [{ id: 'a', ...a.address }] }));
    await joined(a, b, ['a', 'b']);
  });

  it('bounds what waits and says once per episode that messages were lost', async () => {
    const limits = { queueBytes: 8_000_000, frameBytes: 2_000_000, silenceMs: 600_000 };
    const { sender, server } = await senderTo(limits);
    await server.until(() => server.connections.length === 1);
    const connection = server.connections[0]!;
    const ready = (): void => {
      sender.transport.send(heartbeat('a', 'b', 0));
      expect(connection.messages.length).toBeGreaterThan(0);
    };
    await vi.waitFor(ready);
    sender.unreachable.length = 0;
    for (const episode of [1, 2]) {
      connection.socket.pause();
      const before = connection.messages.length;
      const sent = 100;
      for (let at = 0; at < sent; at += 1) {
        sender.transport.send(append(episode * 1000 + at, [Buffer.alloc(1_000_000)]));
        if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await sender.until(() => sender.unreachable.length === episode);
      sender.transport.send(heartbeat('a', 'b', episode));
      connection.socket.resume();
      await connection.until(() => connection.messages.some((one) => round(one) === episode));
      const marker = heartbeat('a', 'b', episode + 10);
      const arrived = () =>
        connection.messages.slice(before).filter((one) => one.type === 'append').length;
      // Heartbeats overtake appends: what had waited may still be coming.
      await vi.waitFor(() => {
        sender.transport.send(marker);
        expect(connection.messages.at(-1)!.type).toBe('heartbeat');
        expect(connection.messages.filter((one) => round(one) > 10)).not.toEqual([]);
        expect(arrived()).toBeGreaterThan(5);
      });
      expect(arrived()).toBeLessThan(sent);
      expect(sender.unreachable).toHaveLength(episode);
    }
  });

  it('lets votes and heartbeats overtake megabytes of appends', async () => {
    const { sender, server } = await senderTo({ silenceMs: 600_000 });
    await server.until(() => server.connections.length === 1);
    const connection = server.connections[0]!;
    await vi.waitFor(() => {
      sender.transport.send(heartbeat('a', 'b', 0));
      expect(connection.messages.length).toBeGreaterThan(0);
    });
    connection.socket.pause();
    const count = 60;
    for (let at = 0; at < count; at += 1) {
      sender.transport.send(append(at, [Buffer.alloc(1_000_000)]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    sender.transport.send(heartbeat('a', 'b', 99));
    connection.socket.resume();
    const appends = (): number => connection.messages.filter((one) => one.type === 'append').length;
    await connection.until(() => appends() === count);
    const at = connection.messages.findIndex((one) => round(one) === 99);
    expect(at).toBeGreaterThan(0);
    expect(connection.messages.length - at).toBeGreaterThan(count / 2);
    expect(sender.unreachable.filter((_, nth) => nth > 0)).toEqual([]);
  });

  it('loses one message that is too large, says so, and goes on', async () => {
    const limits = { frameBytes: 300_000, queueBytes: 300_000, snapshotChunkBytes: 1000 };
    const [a, b] = await pair(limits);
    closing(a, b);
    a.transport.send(append(1, [Buffer.alloc(300_000)]));
    a.transport.send(heartbeat('a', 'b', 1));
    await b.until(() => b.messages.length === 1);
    expect(round(b.messages[0]!)).toBe(1);
    expect(a.problems).toEqual([
      expect.stringMatching(/^a message of 300\d\d\d bytes to b exceeds the limit of 300000$/),
    ]);
    expect(a.unreachable).toEqual(['b']);
  });

  it('gives up a connection on which nothing moves, and connects anew', async () => {
    const limits = { pingMs: 20, silenceMs: 100, retryMinMs: 5, retryMaxMs: 20, handshakeMs: 200 };
    const b = closing(await Member.start('b', { limits }));
    const proxy = closing(await Proxy.start(b.address));
    const a = closing(await Member.start('a', { limits, peers: [{ id: 'b', ...proxy.address }] }));
    b.transport.setPeers([{ id: 'a', ...a.address }]);
    await joined(a, b, ['a', 'b']);
    a.unreachable.length = 0;
    proxy.standStill();
    await a.problem(/b at .* does not answer any more/);
    await a.until(() => a.unreachable.length === 1);
    proxy.goOn();
    await joined(a, b, ['a', 'b']);
  });

  it('keeps a connection on which a lot moves slowly', async () => {
    const limits = { pingMs: 50, silenceMs: 400 };
    const b = closing(await Member.start('b', { limits }));
    const proxy = closing(await Proxy.start(b.address));
    const a = closing(await Member.start('a', { limits, peers: [{ id: 'b', ...proxy.address }] }));
    b.transport.setPeers([{ id: 'a', ...a.address }]);
    await joined(a, b, ['a', 'b']);
    a.unreachable.length = 0;
    proxy.delayMs = 10;
    for (let at = 0; at < 8; at += 1) a.transport.send(append(at, [Buffer.alloc(1_000_000)]));
    await b.until(() => b.messages.filter((one) => one.type === 'append').length === 8);
    expect(a.problems).toEqual([]);
    expect(a.unreachable).toEqual([]);
  });

  it('follows changes of the peers', async () => {
    const [a, b] = await pair();
    closing(a, b);
    const moved = await Proxy.start(b.address);
    closing(moved);
    a.transport.setPeers([{ id: 'b', ...moved.address }]);
    await joined(a, b, ['a', 'b']);
    expect(moved.forwarded).toBeGreaterThan(0);
    b.transport.setPeers([]);
    await a.problem(/refuses this node.*a is no peer of this node/);
    b.transport.send(heartbeat('b', 'a', 1));
    b.transport.send(heartbeat('b', 'a', 2));
    await b.problem(/no address is known for a/);
    expect(b.unreachable).toEqual(['a']);
    expect(() => a.transport.setPeers([{ id: 'a', ...a.address }])).toThrow(/invariant/);
  });

  it('rejects a start where it cannot listen', async () => {
    const a = closing(await Member.start('a'));
    await expect(Member.start('b', { listen: a.address })).rejects.toThrow(/EADDRINUSE/);
  });

  it('leaves nothing open when it closes in the middle of everything', async () => {
    await vi.waitFor(() => expect(openSockets()).toEqual([]));
    const timer = new CountingTimer();
    const silent = await RawServer.start();
    const [a, b] = await pair({ pingMs: 5, silenceMs: 1000 }, timer);
    const hanging = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(1000);
      await new Promise(() => undefined);
    };
    a.transport.setPeers([
      { id: 'b', ...b.address },
      { id: 'silent', ...silent.address },
      { id: 'nobody', host: '127.0.0.1', port: 1 },
      { id: 'nowhere', host: '192.0.2.1', port: 9 },
    ]);
    a.transport.sendSnapshot(snapshotMessage(), () => Object.assign(hanging(), { length: 2000 }));
    const unsaid = await RawConnection.connect(a.address);
    const half = await RawConnection.connect(b.address);
    half.socket.write(Buffer.from([1, 2, 3]));
    await silent.until(() => silent.connections.length === 1);
    await a.problem(/nobody .*ECONNREFUSED/);
    for (let at = 0; at < 30; at += 1) a.transport.send(append(at, [Buffer.alloc(1_000_000)]));
    await b.until(() => b.messages.length > 3);
    a.transport.send(heartbeat('a', 'b', 1));
    a.transport.send(heartbeat('a', 'unknown', 1));
    const reports = (): number[] =>
      [a, b].map((one) => one.messages.length + one.problems.length + one.unreachable.length);
    const closed = Promise.all([a.transport.close(), b.transport.close(), a.transport.close()]);
    const then = reports();
    a.transport.send(heartbeat('a', 'b', 2));
    a.transport.setPeers([{ id: 'b', ...b.address }]);
    await closed;
    expect(timer.pending).toBe(0);
    await Promise.all([unsaid.gone(), half.gone(), silent.close()]);
    await vi.waitFor(() => expect(openSockets()).toEqual([]));
    expect(reports()).toEqual(then);
    expect(a.ended).toEqual([]);
  });
});
