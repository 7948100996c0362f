import { credentials } from '@grpc/grpc-js';
import { TestAuthority } from '@pawl/raft/testing';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EtcdClient, Received, apiBench } from './etcd-client.fixture.js';
import type { EtcdLimits } from './limits.js';
import { RawClient } from './raw-client.fixture.js';

const key = Buffer.from('k');

/** Settings of HTTP/2 with nothing in them. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A connection that sends what it is given and then nothing, and reads nothing but its end. */
function silent(port: number, ...sent: Buffer[]): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  if (sent.length > 0) socket.write(Buffer.concat(sent));
  return socket;
}

/** Hands bytes on in both directions until it is told to hold them back. */
async function relay(port: number): Promise<{ port: number; hold(): void; close(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.pipe(far).pipe(near);
    sockets.push(near, far);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    hold: () => sockets.forEach((socket) => socket.unpipe().pause()),
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe('a connection', () => {
  it('is cut when it does not speak HTTP/2 in time', async () => {
    const bench = await apiBench({ limits: { helloMs: 50 } });
    const { port } = bench.server.address;
    const session = new RawClient(port);
    await once(session.session, 'remoteSettings');
    for (const sent of [[], [PREFACE.subarray(0, 10)], [PREFACE]]) {
      await once(silent(port, ...sent), 'close');
    }
    /* Whoever did goes on. */
    expect((await session.answer(session.ask('KV.Range', { key }))).code).toBe(0);
    await session.close();
    await bench.close();
  });

  it('is cut when its handshake of TLS takes too long', async () => {
    const { cert, key: privateKey, ca } = new TestAuthority('coordination').issue('server');
    const tls = { cert: Buffer.from(cert), key: Buffer.from(privateKey) };
    const bench = await apiBench({ tls, limits: { helloMs: 2000 } });
    const { port } = bench.server.address;
    const trusting = new EtcdClient(port, credentials.createSsl(Buffer.from(String(ca))));
    await trusting.call('KV.Range', { key });
    const { length } = await silentAll(port);
    expect(length).toBe(2);
    await trusting.call('KV.Range', { key });
    trusting.close();
    await bench.close();
  });

  it('is cut when its client does not answer any more, and its watches with it', async () => {
    const limits: Partial<EtcdLimits> = { pingMs: 50, pongMs: 500 };
    const bench = await apiBench({ limits });
    const { port } = bench.server.address;
    const wire = await relay(port);
    const [lost, here] = [new EtcdClient(wire.port), new EtcdClient(port)];
    const watches = [lost, here].map((client) => {
      const stream = client.duplex<object, object>('Watch.Watch');
      const received = new Received(stream);
      stream.write({ create_request: { key } });
      return received;
    });
    await Promise.all(watches.map((watch) => watch.count(1)));
    const [, stays] = [...bench.node.watches];
    const mute = silent(port, PREFACE, SETTINGS);
    wire.hold();
    await once(mute, 'close');
    while (bench.node.watches.size > 1) await turn();
    /* One that answers stays. */
    await bench.client.call('KV.Put', { key });
    await watches[1]!.count(2);
    expect(bench.node.watches.size).toBe(1);
    expect(stays).toBeDefined();
    wire.close();
    lost.close();
    here.close();
    await bench.close();
  });
});

/** Nothing at all, and the beginning of a handshake. */
async function silentAll(port: number): Promise<unknown[]> {
  const begun = Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]);
  return Promise.all([once(silent(port), 'close'), once(silent(port, begun), 'close')]);
}
