import { afterEach, describe, expect, it } from 'vitest';
import { ByteWriter } from '../bytes.js';
import { FRAME, oneFrame } from './peer-frame.js';
import type { RequestError } from './outgoing-requests.js';
import {
  append,
  CountingTimer,
  heartbeat,
  joined,
  Member,
  pair,
  Proxy,
  RawConnection,
  RawServer,
} from './transport.fixture.js';
import type { TransportLimits } from './transport-options.js';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function members(
  limits: Partial<TransportLimits> = {},
  timer?: CountingTimer,
): Promise<[Member, Member]> {
  const [a, b] = await pair(limits, timer);
  open.push(a.transport, b.transport);
  return [a, b];
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const ask = (from: Member, body: string, deadlineMs = 20_000): Promise<Uint8Array> =>
  from.transport.request('b', Buffer.from(body), deadlineMs);
const outcomeOf = (asked: Promise<Uint8Array>): Promise<string> =>
  asked.then(
    () => 'answered',
    (error: RequestError) => `${error.outcome}: ${error.message}`,
  );

/** A promise that the test keeps. */
function later(): { readonly kept: Promise<Uint8Array>; keep(bytes: Uint8Array): void } {
  let keep: (bytes: Uint8Array) => void = () => undefined;
  const kept = new Promise<Uint8Array>((resolve) => (keep = resolve));
  return { kept, keep: (bytes) => keep(bytes) };
}

describe('a request', () => {
  it('comes back with the answer to it, in whatever order they are ready', async () => {
    const [a, b] = await members();
    const slow = later();
    b.answer = (body, from) => {
      return text(body) === 'first'
        ? slow.kept
        : Promise.resolve(Buffer.from(`${from} ${text(body)}`));
    };
    const first = ask(a, 'first');
    expect(text(await ask(a, 'second'))).toBe('a second');
    slow.keep(Buffer.from('at last'));
    expect(text(await first)).toBe('at last');
    expect(b.asked.map(({ from, body }) => `${from} ${text(body)}`)).toEqual([
      'a first',
      'a second',
    ]);
  });

  it('may be empty, and large, and so may its answer', async () => {
    const [a] = await members();
    expect(await a.transport.request('b', new Uint8Array(), 20_000)).toHaveLength(0);
    const large = Buffer.alloc(3_000_000, 'x');
    expect(Buffer.compare(await a.transport.request('b', large, 20_000), large)).toBe(0);
  });

  it('that the other refuses says why, in one line', async () => {
    const [a, b] = await members();
    b.answer = () => Promise.reject(new Error('not\nhere'));
    expect(await outcomeOf(ask(a, 'x'))).toBe('refused: not?here');
    b.answer = () => {
      throw new Error('nor there');
    };
    expect(await outcomeOf(ask(a, 'x'))).toBe('refused: nor there');
  });

  it('is not sent to nobody, nor when it is too large', async () => {
    const [a, b] = await members({ frameBytes: 300_000 });
    const nobody = a.transport.request('z', Buffer.from('x'), 1000);
    expect(await outcomeOf(nobody)).toBe('unsent: no address is known for z');
    const large = a.transport.request('b', Buffer.alloc(300_000), 1000);
    expect(await outcomeOf(large)).toMatch(/^unsent: a request of 300017 bytes exceeds 300000/);
    b.answer = () => Promise.resolve(Buffer.alloc(300_000));
    expect(await outcomeOf(ask(a, 'x'))).toMatch(/^refused: an answer of 300018 bytes/);
  });

  it('is not sent while there is no connection', async () => {
    const a = await Member.start('a', { peers: [{ id: 'b', host: '127.0.0.1', port: 1 }] });
    open.push(a.transport);
    expect(await outcomeOf(ask(a, 'x'))).toBe('unsent: b cannot be reached');
  });

  it('has an unknown outcome at its deadline, and a late answer is nobody’s', async () => {
    const timer = new CountingTimer();
    const [a, b] = await members({}, timer);
    const slow = later();
    b.answer = () => slow.kept;
    const late = outcomeOf(ask(a, 'x', 20));
    expect(await late).toBe('unknown: b did not answer within 20 ms');
    slow.keep(Buffer.from('late'));
    b.answer = (body) => Promise.resolve(body);
    expect(text(await ask(a, 'y'))).toBe('y');
  });

  it('has an unknown outcome when the connection is lost, or this side closes', async () => {
    const b = await Member.start('b');
    const proxy = await Proxy.start(b.address);
    const a = await Member.start('a', { peers: [{ id: 'b', ...proxy.address }] });
    open.push(proxy, b.transport, a.transport);
    b.transport.setPeers([{ id: 'a', ...a.address }]);
    b.answer = () => later().kept;
    await joined(a, b, ['a', 'b']);
    const asked = outcomeOf(ask(a, 'x'));
    await b.until(() => b.asked.length === 1);
    proxy.cut();
    expect(await asked).toBe('unknown: the connection to b was lost');
    await joined(a, b, ['a', 'b']);
    const again = outcomeOf(ask(a, 'y'));
    await b.until(() => b.asked.length === 2);
    await a.transport.close();
    expect(await again).toBe('unknown: the connection to b was lost');
    expect(await outcomeOf(ask(a, 'z'))).toMatch(/^unsent/);
  });

  it('is one of a bounded number, on either side', async () => {
    const [a, b] = await members({ requests: 2 });
    const slow = later();
    b.answer = () => slow.kept;
    const two = [ask(a, '1'), ask(a, '2')];
    expect(await outcomeOf(ask(a, '3'))).toBe('unsent: 2 requests to b wait');
    slow.keep(Buffer.from('now'));
    await Promise.all(two);
    expect(text(await ask(a, '4'))).toBe('now');
  });

  it('waits behind no append that is small, and keeps no message waiting', async () => {
    const [a, b] = await members();
    for (let at = 0; at < 20; at += 1) a.transport.send(append(at, [Buffer.alloc(100_000)]));
    const asked = ask(a, 'x');
    a.transport.send(heartbeat('a', 'b', 7));
    await asked;
    const types = b.messages.map(({ type }) => type);
    expect(types.indexOf('heartbeat')).toBe(0);
  });
});

describe('who answers requests', () => {
  const request = (id: number): Buffer =>
    oneFrame(FRAME.request, new ByteWriter().u64(id).raw(Buffer.from('x')).done());

  async function raw(b: Member): Promise<RawConnection> {
    const connection = await RawConnection.connect(b.address);
    connection.hello();
    await connection.until(() => connection.of(FRAME.welcome).length === 1);
    return connection;
  }

  it('refuses more at once than it is allowed to', async () => {
    const b = await Member.start('b', {
      peers: [{ id: 'a', host: '127.0.0.1', port: 1 }],
      limits: { requests: 2 },
    });
    open.push(b.transport);
    b.answer = () => later().kept;
    const connection = await raw(b);
    connection.socket.write(Buffer.concat([request(1), request(2), request(3)]));
    await connection.until(() => connection.of(FRAME.response).length === 1);
    const [response] = connection.of(FRAME.response);
    expect([response!.readUInt32LE(0), response!.readUInt8(8)]).toEqual([3, 0]);
    expect(response!.subarray(9).toString()).toBe('2 requests are being answered');
    connection.socket.destroy();
  });

  it.each([
    ['a request that is cut off', Buffer.alloc(7)],
    ['an impossible number', Buffer.alloc(8, 0xff)],
  ])('ends the connection at %s', async (problem, body) => {
    const b = await Member.start('b', { peers: [{ id: 'a', host: '127.0.0.1', port: 1 }] });
    open.push(b.transport);
    const connection = await raw(b);
    connection.socket.write(oneFrame(FRAME.request, body));
    await connection.gone();
    await b.problem(new RegExp(`sent ${problem}`));
  });

  it.each([
    ['that is cut off', Buffer.alloc(8)],
    ['that is neither an answer nor a failure', Buffer.concat([Buffer.alloc(8), Buffer.of(2)])],
  ])('is left when it sends a response %s', async (problem, body) => {
    const server = await RawServer.start((connection) => connection.welcome('b'));
    const a = await Member.start('a', { peers: [{ id: 'b', ...server.address }] });
    open.push(a.transport, server);
    await server.until(() => server.connections.length === 1);
    const [connection] = server.connections;
    await connection!.until(() => connection!.frames.length > 0);
    connection!.socket.write(oneFrame(FRAME.response, body));
    await a.problem(new RegExp(`a response ${problem}`));
  });
});
