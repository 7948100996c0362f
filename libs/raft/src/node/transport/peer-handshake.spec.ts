import { afterEach, describe, expect, it } from 'vitest';
import { FRAME, oneFrame } from './peer-frame.js';
import {
  append,
  CLUSTER,
  heartbeat,
  joined,
  Member,
  pair,
  RawConnection,
  RawServer,
} from './transport.fixture.js';
import { ByteWriter } from '../bytes.js';
import { writeMessage } from './message-codec.js';
import type { PlainMessage } from './message-codec.js';
import type { TransportLimits } from './transport-options.js';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Node b, which knows of a peer a where nobody listens. */
async function nodeB(limits: Partial<TransportLimits> = {}): Promise<Member> {
  const b = await Member.start('b', { peers: [{ id: 'a', host: '127.0.0.1', port: 1 }], limits });
  open.push(b.transport);
  return b;
}

function frameOf(message: PlainMessage): Buffer {
  const writer = new ByteWriter();
  writeMessage(writer, message);
  return oneFrame(FRAME.message, writer.done());
}

const self = { id: 'a', clusterId: CLUSTER, folderId: 'folder-of-a' };

describe('a node that is connected to', () => {
  it.each([
    ['another cluster', { self: { ...self, clusterId: 'other\n' } }, /cluster \(other\?\)/],
    ['an id that is no peer', { self: { ...self, id: 'z' } }, /z is no peer/],
    ['its own id', { self: { ...self, id: 'b' } }, /this node's own id, b: start it under/],
    ['another node looked for', { target: 'c' }, /looks for c where b listens/],
    ['a later protocol only', { oldest: 2, newest: 9 }, /speaks versions 2 to 9/],
  ])('refuses %s', async (_, hello, problem) => {
    const b = await nodeB();
    const raw = await RawConnection.connect(b.address);
    raw.hello(hello);
    await raw.gone();
    expect(raw.of(FRAME.welcome)).toEqual([]);
    expect(raw.refusal).toMatch(/\w/);
    expect(raw.refusal).not.toContain(CLUSTER);
    await b.problem(problem);
    expect(b.problems.join('')).not.toContain('\n');
  });

  it('speaks its own version with a peer that speaks later ones too', async () => {
    const b = await nodeB();
    const raw = await RawConnection.connect(b.address);
    raw.hello({ oldest: 1, newest: 200 });
    await raw.until(() => raw.of(FRAME.welcome).length === 1);
    expect(raw.of(FRAME.welcome)[0]!.readUInt8(4)).toBe(1);
    raw.socket.destroy();
  });

  it('refuses a second node of one id, while the first is there and after, until it is no peer', async () => {
    const b = await nodeB();
    const first = await RawConnection.connect(b.address);
    first.hello();
    await first.until(() => first.of(FRAME.welcome).length === 1);
    const second = { self: { ...self, folderId: 'another-folder' } };
    for (const state of ['there', 'gone']) {
      const raw = await RawConnection.connect(b.address);
      raw.hello(second);
      await raw.gone();
      expect(raw.of(FRAME.welcome), state).toEqual([]);
      expect(raw.refusal).toMatch(/second node with the id a: .* another-folder, .* folder-of-a/);
      expect(raw.refusal).toMatch(/Stop the one at 127\.0\.0\.1:\d+ and start it under an id/);
      expect(first.closed).toBe(state === 'gone');
      first.socket.destroy();
      await first.gone();
    }
    expect(b.problems.filter((text) => text.includes('second node with the id a'))).toHaveLength(2);
    b.transport.setPeers([]);
    b.transport.setPeers([{ id: 'a', host: '127.0.0.1', port: 1 }]);
    const replacement = await RawConnection.connect(b.address);
    replacement.hello(second);
    await replacement.until(() => replacement.of(FRAME.welcome).length === 1);
    replacement.socket.destroy();
  });

  it('lets a newer connection of a peer end the older', async () => {
    const b = await nodeB();
    const older = await RawConnection.connect(b.address);
    older.hello();
    await older.until(() => older.of(FRAME.welcome).length === 1);
    const newer = await RawConnection.connect(b.address);
    newer.hello();
    await older.gone();
    newer.socket.write(frameOf(heartbeat('a', 'b', 5)));
    await b.until(() => b.messages.length === 1);
    newer.socket.destroy();
  });

  it.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['an oversized frame', Buffer.from([0, 0, 0, 128, 0, 0, 0, 0])],
    ['a frame larger than a greeting', oneFrame(FRAME.hello, Buffer.alloc(5000))],
    ['a message first', frameOf(heartbeat('a', 'b', 1))],
    ['a greeting of something else', oneFrame(FRAME.hello, Buffer.from('something else'))],
  ])('ends a connection that starts with %s', async (_, bytes) => {
    const b = await nodeB();
    const raw = await RawConnection.connect(b.address);
    raw.socket.write(bytes);
    await raw.gone();
    expect(b.messages).toEqual([]);
    await b.problem(/^a connection from 127\.0\.0\.1:\d+ sent /);
  });

  it.each([
    [
      'a damaged frame',
      () => {
        const frame = frameOf(append(1, [Buffer.from('content')]));
        frame[frame.length - 2]! ^= 4;
        return frame;
      },
    ],
    ['a message that is none', () => oneFrame(FRAME.message, Buffer.from([99, 1, 2]))],
    ['a frame of a kind unknown', () => oneFrame(99 as 1)],
    ['a chunk of no snapshot', () => oneFrame(FRAME.snapshotChunk, Buffer.from('x'))],
    ['a frame above its limit', () => Buffer.from([0, 0, 0, 128, 0, 0, 0, 0])],
  ])('takes what came before %s, then ends the connection', async (_, bytes) => {
    const b = await nodeB();
    const raw = await RawConnection.connect(b.address);
    raw.hello();
    await raw.until(() => raw.of(FRAME.welcome).length === 1);
    raw.socket.write(
      Buffer.concat([frameOf(heartbeat('a', 'b', 1)), bytes(), frameOf(heartbeat('a', 'b', 2))]),
    );
    await raw.gone();
    expect(b.messages).toHaveLength(1);
    await b.problem(/^a at 127\.0\.0\.1:\d+ sent /);
    expect(b.problems.join('')).not.toContain('content');
  });

  it('forgets a frame that was cut off with its connection', async () => {
    const b = await nodeB();
    for (let cut = 1; cut < 30; cut += 7) {
      const raw = await RawConnection.connect(b.address);
      raw.hello();
      await raw.until(() => raw.of(FRAME.welcome).length === 1);
      const frame = frameOf(heartbeat('a', 'b', cut));
      raw.socket.end(Buffer.concat([frame, frame.subarray(0, cut)]));
      await raw.gone();
    }
    await b.until(() => b.messages.length === 5);
    expect(b.messages.map((one) => 'round' in one && one.round)).toEqual([1, 8, 15, 22, 29]);
  });

  it('drops messages in the name of others or to others, and keeps the rest', async () => {
    const b = await nodeB();
    const raw = await RawConnection.connect(b.address);
    raw.hello();
    for (const [from, to] of [
      ['c', 'b'],
      ['a', 'c'],
      ['b', 'b'],
      ['a', 'b'],
    ] as const) {
      raw.socket.write(frameOf(heartbeat(from, to, 1)));
    }
    await b.until(() => b.messages.length > 0);
    expect(b.messages).toEqual([heartbeat('a', 'b', 1)]);
    expect(b.problems.filter((text) => text.includes('are dropped'))).toHaveLength(1);
    raw.socket.destroy();
  });

  it('does not wait for ever for a greeting', async () => {
    const b = await nodeB({ handshakeMs: 30 });
    const silent = await RawConnection.connect(b.address);
    await silent.gone();
    await b.problem(/did not say who it is/);
  });

  it('ends the connection of a peer that falls silent, and of no other', async () => {
    const b = await nodeB({ pingMs: 50, silenceMs: 300 });
    b.transport.setPeers(['a', 'c'].map((id) => ({ id, host: '127.0.0.1', port: 1 })));
    const lively = await RawConnection.connect(b.address);
    lively.hello({ self: { ...self, id: 'c', folderId: 'folder-of-c' } });
    const pinging = setInterval(() => lively.socket.write(oneFrame(FRAME.ping)), 20);
    const silent = await RawConnection.connect(b.address);
    silent.hello();
    await silent.until(() => silent.of(FRAME.welcome).length === 1);
    await silent.gone();
    const heard = lively.of(FRAME.heard).length;
    await lively.until(() => lively.of(FRAME.heard).length > heard);
    clearInterval(pinging);
    lively.socket.destroy();
  });

  it('lets the oldest stranger give way when there are too many, and no peer', async () => {
    const b = await nodeB({ pendingHandshakes: 2, handshakeMs: 600_000 });
    const peer = await RawConnection.connect(b.address);
    peer.hello();
    await peer.until(() => peer.of(FRAME.welcome).length === 1);
    const strangers: RawConnection[] = [];
    for (let nth = 0; nth < 4; nth += 1) strangers.push(await RawConnection.connect(b.address));
    await Promise.all(strangers.slice(0, 2).map((one) => one.gone()));
    expect([peer, ...strangers.slice(2)].map((one) => one.closed)).toEqual([false, false, false]);
    for (const one of [peer, ...strangers]) one.socket.destroy();
  });
});

describe('a node that connects', () => {
  it.each([
    ['is another node', ['c', 'folder-of-c', CLUSTER], /b at .* is c$/],
    ['belongs elsewhere', ['b', 'folder-of-b', 'other'], /another cluster \(other\) than this/],
  ] as const)('refuses one that %s', async (_, [id, folder, cluster], problem) => {
    const server = await RawServer.start((connection) => connection.welcome(id, folder, cluster));
    const a = await Member.start('a', { peers: [{ id: 'b', ...server.address }] });
    open.push(a.transport, server);
    await a.problem(problem);
    await server.connections[0]!.gone();
    expect(server.connections[0]!.messages).toEqual([]);
  });

  it('refuses a second node of one id that it reaches later', async () => {
    const [a, b] = await pair({ retryMinMs: 5 });
    open.push(a.transport, b.transport);
    const second = await RawServer.start((connection) => connection.welcome('b', 'folder-two'));
    open.push(second);
    a.transport.setPeers([{ id: 'b', ...second.address }]);
    await a.problem(/is refused: a second node with the id b: .* folder-two, .* folder-of-b/);
    a.transport.setPeers([{ id: 'b', ...b.address }]);
    await joined(a, b, ['a', 'b']);
  });

  it('does not wait for ever for a welcome, and ends a connection that sends anything else', async () => {
    const server = await RawServer.start((connection) => {
      if (connection !== server.connections[0]) connection.socket.write('SSH-2.0-x\r\n'.repeat(3));
    });
    const limits = { handshakeMs: 50, retryMinMs: 5, retryMaxMs: 10 };
    const a = await Member.start('a', { limits, peers: [{ id: 'b', ...server.address }] });
    open.push(a.transport, server);
    await a.problem(/b at .* did not answer within 50 ms/);
    await a.problem(/b at .* sent a frame of \d+ bytes, above the limit/);
  });
});
