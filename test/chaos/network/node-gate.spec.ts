import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../infra/dev/lib/ports.mjs';
import { eventually } from '../../support/eventually.js';
import { BROKEN, Links, OPEN, STALLED } from './links.js';
import { NodeGate } from './node-gate.js';

/** What a test's connection has received. */
class Caller {
  received = '';
  closed = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.closed = true;
    });
  }

  async got(text: string): Promise<void> {
    await eventually(() => expect(this.received).toBe(text));
  }
}

let links: Links;
let echo: Server;
let gate: NodeGate;
let port: number;
/** What the node behind the gate has received, of all connections. */
let arrived = '';
const sockets: Socket[] = [];

beforeEach(async () => {
  arrived = '';
  links = new Links();
  echo = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      arrived += chunk.toString('latin1');
      socket.write(chunk);
    });
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  port = await freePort();
  gate = await NodeGate.open({
    node: 'n2',
    port,
    behindPort: (echo.address() as { port: number }).port,
    links,
    // The name comes first, before a colon.
    identify: (first) => /^(\w*):/.exec(first.toString('latin1'))?.[1] ?? null,
    nameOf: (caller) => caller,
  });
});

afterEach(async () => {
  await gate.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  echo.close();
});

async function call(hello: string): Promise<Caller> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  const caller = new Caller(socket);
  await once(socket, 'connect');
  socket.write(hello);
  return caller;
}

/** A round trip of somebody else's: whatever could arrive has by then. */
async function settle(): Promise<void> {
  const other = await call('n9:?');
  await other.got('n9:?');
  other.socket.destroy();
}

describe('the gate of a node', () => {
  it('carries both ways, the first bytes too, once it knows who calls', async () => {
    const caller = await call('n');
    await settle();
    caller.socket.write('1:a');
    await caller.got('n1:a');
  });

  it('holds back one direction, and lets go of it in order', async () => {
    const caller = await call('n1:a');
    await caller.got('n1:a');
    links.set('n1', 'n2', STALLED);
    caller.socket.write('b');
    caller.socket.write('c');
    await settle();
    expect(arrived).toBe('n1:an9:?');
    links.set('n1', 'n2', OPEN);
    await caller.got('n1:abc');
    links.set('n2', 'n1', STALLED);
    caller.socket.write('d');
    await eventually(() => expect(arrived).toBe('n1:an9:?bcd'));
    await settle();
    expect(caller.received).toBe('n1:abc');
    links.heal();
    await caller.got('n1:abcd');
  });

  it('makes connections over a stalled link, which stay silent', async () => {
    links.set('n1', 'n2', STALLED);
    const caller = await call('n1:a');
    await settle();
    expect(arrived).toBe('n9:?');
    expect(caller.closed).toBe(false);
    links.heal();
    await caller.got('n1:a');
  });

  it('breaks the connections of a broken link, and no others', async () => {
    const [caller, other] = [await call('n1:a'), await call('n3:a')];
    await caller.got('n1:a');
    await other.got('n3:a');
    links.set('n2', 'n1', BROKEN);
    await eventually(() => expect(caller.closed).toBe(true));
    const again = await call('n1:a');
    await eventually(() => expect(again.closed).toBe(true));
    other.socket.write('b');
    await other.got('n3:ab');
  });

  it('delays, and narrows, without a change of order', async () => {
    links.set('n1', 'n2', { kind: 'slow', delayMs: 5, jitterMs: 30 });
    const caller = await call('n1:');
    for (const digit of '0123456789') caller.socket.write(digit);
    await caller.got('n1:0123456789');
    links.set('n1', 'n2', { kind: 'narrow', bytesPerSecond: 100_000 });
    const text = 'x'.repeat(3_000);
    caller.socket.write(text);
    await caller.got(`n1:0123456789${text}`);
  });

  it('passes on that one side has ended', async () => {
    const caller = await call('n1:a');
    await caller.got('n1:a');
    caller.socket.end('b');
    await caller.got('n1:ab');
    await eventually(() => expect(caller.closed).toBe(true));
  });
});
