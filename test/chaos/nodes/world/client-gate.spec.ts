import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../../support/eventually.js';
import { BROKEN, Links, OPEN, STALLED } from '../../network/links.js';
import { ClientGate } from './client-gate.js';

let links: Links;
let service: Server;
let gate: ClientGate;
let client: Socket;
let received = '';
let heard = '';
let isClosed = false;

/** The service greets first, as NATS does, and repeats what it is told. */
beforeEach(async () => {
  links = new Links();
  service = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('hello ');
    socket.on('data', (chunk) => (heard += chunk.toString()));
    socket.pipe(socket);
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const address = service.address();
  const behindPort = typeof address === 'object' ? (address?.port ?? 0) : 0;
  gate = await ClientGate.open({ client: 'node', service: 'nats', behindPort, links });
  client = connect({ port: gate.port, host: '127.0.0.1' });
  received = '';
  heard = '';
  isClosed = false;
  client.on('data', (chunk) => (received += chunk.toString()));
  client.on('error', () => undefined);
  client.once('close', () => (isClosed = true));
  await got('hello ');
});

afterEach(async () => {
  client.destroy();
  await gate.close();
  service.close();
});

const got = (text: string) => eventually(() => expect(received).toBe(text));

it('carries both ways', async () => {
  client.write('one');
  await got('hello one');
});

it('holds back what is sent from a certain text on, and lets what was held go on', async () => {
  const trap = gate.trap('two', () => links.set('node', 'nats', STALLED), 10_000);
  client.write('one');
  await got('hello one');
  client.write('two');
  const { back } = await trap;
  client.write('three');
  expect(heard).toBe('one');
  links.set('nats', 'node', STALLED);
  links.set('node', 'nats', OPEN);
  await eventually(() => expect(heard).toBe('onetwothree'));
  await eventually(() => expect(back.heldBytes).toBe(8));
  expect(received).toBe('hello one');
  links.heal();
  await got('hello onetwothree');
});

it('waits no longer than it was told for what is not sent, and does nothing about it later', async () => {
  let sprung = 0;
  await expect(gate.trap('two', () => (sprung += 1), 1)).rejects.toThrow('node has sent no two');
  client.write('two');
  await got('hello two');
  expect(sprung).toBe(0);
});

it('breaks connections, and takes new ones only when it is whole again', async () => {
  links.set('nats', 'node', BROKEN);
  await eventually(() => expect(isClosed).toBe(true));
  const refused = connect({ port: gate.port, host: '127.0.0.1' });
  refused.on('error', () => undefined);
  await once(refused, 'close');
  links.heal();
  const next = connect({ port: gate.port, host: '127.0.0.1' });
  const [greeting] = (await once(next, 'data')) as [Buffer];
  expect(greeting.toString()).toBe('hello ');
  next.destroy();
});
