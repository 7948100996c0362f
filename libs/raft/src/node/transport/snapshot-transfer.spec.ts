import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ByteWriter } from '../bytes.js';
import { writeMessage } from './message-codec.js';
import { FRAME, oneFrame } from './peer-frame.js';
import {
  heartbeat,
  Member,
  pair,
  Proxy,
  RawConnection,
  RawServer,
  snapshotMessage,
} from './transport.fixture.js';
import type { SnapshotSource, TransportLimits } from './transport-options.js';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function members(limits: Partial<TransportLimits> = {}): Promise<[Member, Member]> {
  const [a, b] = await pair(limits);
  open.push(a.transport, b.transport);
  return [a, b];
}

interface Opened {
  readonly source: () => SnapshotSource;
  /** Pieces handed out. */
  pieces: number;
  released: boolean;
}

function opening(
  pieces: readonly Uint8Array[],
  length?: number,
  last?: () => Promise<void>,
): Opened {
  const total = length ?? pieces.reduce((sum, piece) => sum + piece.length, 0);
  const generate = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (const piece of pieces) {
        opened.pieces += 1;
        yield piece;
      }
      await last?.();
    } finally {
      opened.released = true;
    }
  };
  const opened: Opened = {
    source: () => Object.assign(generate(), { length: total }),
    pieces: 0,
    released: false,
  };
  return opened;
}

/** A sender by hand, greeted by `b`. */
async function rawSender(b: Member, id = 'a'): Promise<RawConnection> {
  const raw = await RawConnection.connect(b.address);
  raw.hello({
    purpose: 'snapshot',
    self: { id, clusterId: 'cluster-1', folderId: `folder-of-${id}` },
  });
  await raw.until(() => raw.of(FRAME.welcome).length === 1);
  return raw;
}

function begin(length: number, message = snapshotMessage()): Buffer {
  const writer = new ByteWriter().u64(length);
  writeMessage(writer, message);
  return oneFrame(FRAME.snapshotBegin, writer.done());
}

function end(state: Uint8Array): Buffer {
  return oneFrame(FRAME.snapshotEnd, createHash('sha256').update(state).digest());
}

describe('a snapshot', () => {
  it.each([0, 1, 1000, 5_000_001, 40_000_000])('of %i bytes arrives whole', async (length) => {
    const [a, b] = await members({ snapshotChunkBytes: 100_000 });
    const state = randomBytes(length);
    const cuts = [0, 0, 7, Math.floor(length / 3), length].map((at) => Math.min(at, length));
    cuts.sort((one, other) => one - other);
    const pieces = cuts.map((at, nth) => state.subarray(cuts[nth - 1] ?? 0, at));
    const opened = opening(pieces);
    a.transport.sendSnapshot(snapshotMessage(), opened.source);
    await a.until(() => a.ended.length === 1);
    expect(a.ended).toEqual([{ id: 'b', delivered: true }]);
    expect(b.snapshots).toHaveLength(1);
    expect(b.snapshots[0]!.message).toEqual(snapshotMessage());
    expect(Buffer.compare(b.snapshots[0]!.state, state)).toBe(0);
    expect(opened.released).toBe(true);
    expect([...a.problems, ...b.problems]).toEqual([]);
  });

  it('lets messages pass while it travels', async () => {
    const [a, b] = await members();
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    a.transport.sendSnapshot(snapshotMessage(), opening([Buffer.alloc(9)], 9, () => gate).source);
    a.transport.send(heartbeat('a', 'b', 4));
    await b.until(() => b.messages.length === 1);
    expect(b.snapshots).toEqual([]);
    go();
    await a.until(() => a.ended.length === 1);
    expect(b.snapshots).toHaveLength(1);
  });

  it('is read no faster than it is taken', async () => {
    const server = await RawServer.start((connection) => connection.welcome('b'));
    const a = await Member.start('a', {
      peers: [{ id: 'b', ...server.address }],
      limits: { silenceMs: 600_000 },
    });
    open.push(a.transport, server);
    await server.until(() => server.connections.length === 1);
    const pieces = Array.from({ length: 400 }, () => Buffer.alloc(256 * 1024));
    const opened = opening(pieces);
    a.transport.sendSnapshot(snapshotMessage(), opened.source);
    await server.until(() => server.connections.length === 2);
    const connection = server.connections[1]!;
    connection.socket.pause();
    let before = -1;
    await vi.waitFor(
      () => {
        const stood = before === opened.pieces && before > 0;
        before = opened.pieces;
        expect(stood).toBe(true);
      },
      { interval: 200, timeout: 20_000 },
    );
    expect(opened.pieces).toBeLessThan(200);
    connection.socket.resume();
    await connection.until(() => connection.of(FRAME.snapshotEnd).length === 1);
    expect(opened.pieces).toBe(400);
    expect(connection.of(FRAME.snapshotChunk)).toHaveLength(400);
  });

  it('that breaks in the middle is not delivered, and can be sent again', async () => {
    const limits = { silenceMs: 5000, snapshotChunkBytes: 50_000 };
    const b = await Member.start('b', { limits });
    const proxy = await Proxy.start(b.address);
    const a = await Member.start('a', { limits, peers: [{ id: 'b', ...proxy.address }] });
    open.push(a.transport, b.transport, proxy);
    b.transport.setPeers([{ id: 'a', ...a.address }]);
    const state = randomBytes(20_000_000);
    const opened = opening([state]);
    proxy.onForwarded = () => {
      if (proxy.forwarded > 3_000_000) proxy.cut();
    };
    a.transport.sendSnapshot(snapshotMessage(), opened.source);
    await a.until(() => a.ended.length === 1);
    expect(a.ended).toEqual([{ id: 'b', delivered: false }]);
    await a.problem(/^the snapshot at index 10 did not reach b: b at .* (closed|ECONNRESET|EPIPE)/);
    await vi.waitFor(() => expect(opened.released).toBe(true));
    expect(b.snapshots).toEqual([]);
    proxy.onForwarded = () => undefined;
    a.transport.sendSnapshot(snapshotMessage(), opening([state]).source);
    await a.until(() => a.ended.length === 2);
    expect(a.ended[1]).toEqual({ id: 'b', delivered: true });
    expect(Buffer.compare(b.snapshots[0]!.state, state)).toBe(0);
  });

  it.each([
    ['ends early', () => opening([Buffer.alloc(10)], 11), /ended after 10 of 11 bytes/],
    ['goes on too long', () => opening([Buffer.alloc(10)], 9), /longer than 9 bytes/],
    [
      'fails',
      () => opening([Buffer.alloc(10)], 20, () => Promise.reject(new Error('EIO: read'))),
      /EIO: read/,
    ],
    [
      'hangs',
      () => opening([Buffer.alloc(10)], 20, () => new Promise(() => undefined)),
      /no progress for 100 ms/,
    ],
    ['is too large to send', () => opening([Buffer.alloc(3000)]), /3000 bytes exceed the limit/],
  ])('whose source %s is not delivered', async (_, make, problem) => {
    const [a, b] = await members({ snapshotStallMs: 100, snapshotBytes: 2000 });
    a.transport.sendSnapshot(snapshotMessage(), make().source);
    await a.until(() => a.ended.length === 1);
    expect(a.ended).toEqual([{ id: 'b', delivered: false }]);
    await a.problem(problem);
    expect(b.snapshots).toEqual([]);
  });

  it('to somebody unknown, or to a peer that leaves, is not delivered', async () => {
    const [a] = await members();
    a.transport.sendSnapshot({ ...snapshotMessage(), to: 'z' }, opening([]).source);
    await a.until(() => a.ended.length === 1);
    const hanging = opening([Buffer.alloc(10)], 20, () => new Promise(() => undefined));
    a.transport.sendSnapshot(snapshotMessage(), hanging.source);
    a.transport.setPeers([]);
    await a.until(() => a.ended.length === 2);
    expect(a.ended).toEqual([
      { id: 'z', delivered: false },
      { id: 'b', delivered: false },
    ]);
  });

  it('gives way to a later one for the same peer, of which alone is reported', async () => {
    const [a, b] = await members();
    const hanging = opening([Buffer.alloc(10)], 20, () => new Promise(() => undefined));
    a.transport.sendSnapshot(snapshotMessage(1), hanging.source);
    a.transport.sendSnapshot(snapshotMessage(2), opening([Buffer.from('later')]).source);
    await a.until(() => a.ended.length === 1);
    await b.until(() => b.snapshots.length === 1);
    expect(b.snapshots[0]!.message.term).toBe(2);
    expect(a.ended).toEqual([{ id: 'b', delivered: true }]);
  });
});

describe('the receiver of a snapshot', () => {
  const state = Buffer.from('the whole state');
  const chunk = oneFrame(FRAME.snapshotChunk, state);
  const other = Buffer.from('the while state');

  it.each([
    [
      'another state',
      [begin(state.length), oneFrame(FRAME.snapshotChunk, other), end(state)],
      /fails its checksum/,
    ],
    ['a state cut off', [begin(state.length + 1), chunk, end(state)], /cut off/],
    [
      'more than announced',
      [begin(state.length - 1), chunk, end(state)],
      /a chunk that belongs to no snapshot/,
    ],
    [
      'an empty chunk',
      [begin(1), oneFrame(FRAME.snapshotChunk)],
      /a chunk that belongs to no snapshot/,
    ],
    ['a chunk first', [chunk], /a chunk that belongs to no snapshot/],
    ['a second beginning', [begin(5), begin(5)], /a second snapshot/],
    ['a message of another kind', [oneFrame(FRAME.message)], /carries no snapshot/],
    ['more than its limit', [begin(5001)], /5001 bytes exceeds the limit of 5000/],
    ['one of somebody else', [begin(5, { ...snapshotMessage(), from: 'c' })], /somebody else/],
  ])('refuses %s', async (_, frames, problem) => {
    const limits = { snapshotBytes: 5000 };
    const b = await Member.start('b', { peers: [{ id: 'a', host: '127.0.0.1', port: 1 }], limits });
    open.push(b.transport);
    const raw = await rawSender(b);
    raw.socket.write(Buffer.concat(frames));
    await raw.gone();
    await b.problem(problem);
    expect(raw.refusal).toMatch(problem);
    expect(b.snapshots).toEqual([]);
    expect(raw.of(FRAME.snapshotReceived)).toEqual([]);
  });

  it('gives up one that does not go on, though its connection lives', async () => {
    const b = await Member.start('b', {
      peers: [{ id: 'a', host: '127.0.0.1', port: 1 }],
      limits: { snapshotStallMs: 100, pingMs: 20, silenceMs: 1000 },
    });
    open.push(b.transport);
    const raw = await rawSender(b);
    raw.socket.write(begin(100));
    const pinging = setInterval(() => raw.socket.write(oneFrame(FRAME.ping)), 10);
    await raw.gone();
    clearInterval(pinging);
    await b.problem(/did not go on for 100 ms/);
  });

  it('takes one at a time, and one of a later term instead', async () => {
    const nowhere = { host: '127.0.0.1', port: 1 };
    const peers = ['a', 'c'].map((id) => ({ id, ...nowhere }));
    const b = await Member.start('b', { peers });
    open.push(b.transport);
    const first = await rawSender(b, 'a');
    first.socket.write(begin(state.length));
    await vi.waitFor(async () => {
      const busy = await rawSender(b, 'c');
      busy.socket.write(begin(5, { ...snapshotMessage(1), from: 'c' }));
      await busy.gone();
      expect(busy.refusal).toBe('another snapshot is arriving');
    });
    const later = await rawSender(b, 'c');
    const message = { ...snapshotMessage(2), from: 'c' };
    later.socket.write(Buffer.concat([begin(state.length, message), chunk, end(state)]));
    await later.until(() => later.of(FRAME.snapshotReceived).length === 1);
    await first.gone();
    expect(first.refusal).toBe('a leader of a later term sends one');
    expect(b.snapshots.map((one) => one.message)).toEqual([message]);
    later.socket.destroy();
    const again = await rawSender(b, 'a');
    again.socket.write(Buffer.concat([begin(state.length), chunk, end(state)]));
    await b.until(() => b.snapshots.length === 2);
    again.socket.destroy();
  });
});
