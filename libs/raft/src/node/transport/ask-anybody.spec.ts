import { afterEach, describe, expect, it, vi } from 'vitest';
import { TestAuthority } from '../../testing/test-authority.js';
import type { RequestError } from './outgoing-requests.js';
import { FRAME, oneFrame } from './peer-frame.js';
import {
  CountingTimer,
  Member,
  openSockets,
  RawConnection,
  RawServer,
} from './transport.fixture.js';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function member(...args: Parameters<typeof Member.start>): Promise<Member> {
  const started = await Member.start(...args);
  open.push(started.transport);
  return started;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const ask = (
  from: Member,
  at: { readonly host: string; readonly port: number },
  deadlineMs = 20_000,
) => from.transport.ask({ id: 'b', ...at }, Buffer.from('who?'), deadlineMs);
const outcomeOf = (asked: Promise<Uint8Array>): Promise<string> =>
  asked.then(
    () => 'answered',
    (error: RequestError) => `${error.outcome}: ${error.message}`,
  );

describe('a question to anybody of the cluster', () => {
  it('is answered by one that does not know who asks, nor is known', async () => {
    const timer = new CountingTimer();
    const [a, b] = [await member('a', { timer }), await member('b')];
    b.answer = (body) => Promise.resolve(Buffer.from(`${text(body)} we`));
    expect(text(await ask(a, b.address))).toBe('who? we');
    expect(b.asked.map(({ from }) => from)).toEqual([null]);
    expect([...a.problems, ...b.problems]).toEqual([]);
    await a.transport.close();
    await b.transport.close();
    expect(timer.pending).toBe(0);
    await vi.waitFor(() => expect(openSockets()).toEqual([]));
  });

  it('is answered though either takes the other for another node', async () => {
    const nowhere = { host: '127.0.0.1', port: 1 };
    const a = await member('a', { peers: [{ id: 'b', ...nowhere, folderId: 'former-b' }] });
    const b = await member('b', { peers: [{ id: 'a', ...nowhere, folderId: 'former-a' }] });
    expect(text(await ask(a, b.address))).toBe('who?');
  });

  it('is asked over TLS where that is spoken', async () => {
    const authority = new TestAuthority('quorum');
    const a = await member('a', { tls: authority.issue('a') });
    const b = await member('b', { tls: authority.issue('b') });
    expect(text(await ask(a, b.address))).toBe('who?');
  });

  it('fails with why', async () => {
    const a = await member('a');
    const b = await member('b');
    b.answer = () => Promise.reject(new Error('not for you'));
    expect(await outcomeOf(ask(a, b.address))).toMatch(/^refused: b at .* refuses: not for you$/);
    expect(await outcomeOf(ask(a, { host: '127.0.0.1', port: 1 }))).toMatch(/ECONNREFUSED/);
    const silent = await RawServer.start();
    const elsewhere = await RawServer.start((one) => one.welcome('b', 'f', 'other'));
    open.push(silent, elsewhere);
    expect(await outcomeOf(ask(a, silent.address, 50))).toMatch(/did not answer within 50 ms$/);
    expect(await outcomeOf(ask(a, elsewhere.address))).toMatch(/^refused: .* another cluster$/);
    const waiting = outcomeOf(ask(a, silent.address));
    await a.transport.close();
    expect(await waiting).toMatch(/^unknown: .* closed the connection$/);
    expect(await outcomeOf(ask(a, b.address))).toBe('unsent: this node is stopped');
  });

  it('is not heard from another cluster, and is no way in for anything else', async () => {
    const b = await member('b', { limits: { handshakeMs: 50 } });
    const self = { id: 'a', clusterId: 'other', folderId: 'f' };
    const other = await RawConnection.connect(b.address);
    other.hello({ purpose: 'question', self });
    await other.gone();
    expect(other.refusal).toBe('this node belongs to another cluster');
    const sly = await RawConnection.connect(b.address);
    sly.hello({ purpose: 'question' });
    await sly.until(() => sly.of(FRAME.welcome).length === 1);
    sly.socket.write(oneFrame(FRAME.message, Buffer.from('vote for me')));
    await sly.gone();
    const idle = await RawConnection.connect(b.address);
    idle.hello({ purpose: 'question' });
    await idle.gone();
    expect(b.messages).toEqual([]);
  });
});
