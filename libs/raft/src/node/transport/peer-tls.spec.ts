import { randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Timer } from '@pawl/kernel';
import { TestAuthority } from '../../testing/test-authority.js';
import { FRAME } from './peer-frame.js';
import {
  append,
  joined,
  Member,
  CountingTimer,
  openSockets,
  realTimer,
  RawConnection,
  snapshotMessage,
} from './transport.fixture.js';
import type { PeerTls } from './transport-options.js';

const authority = new TestAuthority('quorum');
const stranger = new TestAuthority('stranger');
const open: Member[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.transport.close();
});

async function members(
  ofA: PeerTls | null,
  ofB: PeerTls | null,
  timer: Timer = realTimer,
): Promise<[Member, Member]> {
  const b = await Member.start('b', ofB === null ? { timer } : { timer, tls: ofB });
  const a = await Member.start('a', ofA === null ? { timer } : { timer, tls: ofA });
  open.push(a, b);
  return [a, b];
}

function introduce(a: Member, b: Member): void {
  b.transport.setPeers([{ id: 'a', ...a.address }]);
  a.transport.setPeers([{ id: 'b', ...b.address }]);
}

describe('the peer transport with mutual TLS', () => {
  it('carries messages and snapshots between nodes of one authority', async () => {
    const timer = new CountingTimer();
    const [a, b] = await members(authority.issue('a'), authority.issue('b'), timer);
    introduce(a, b);
    await joined(a, b, ['a', 'b']);
    await joined(b, a, ['b', 'a']);
    const data = randomBytes(3_000_000);
    a.transport.send(append(1, [data]));
    await b.until(() => b.messages.some((one) => one.type === 'append'));
    const message = b.messages.find((one) => one.type === 'append')!;
    const [entry] = message.entries;
    expect(Buffer.compare(entry!.data, data)).toBe(0);
    a.transport.sendSnapshot(snapshotMessage(), () =>
      Object.assign(
        (async function* () {
          yield data;
        })(),
        { length: data.length },
      ),
    );
    await a.until(() => a.ended.length === 1);
    expect(a.ended).toEqual([{ id: 'b', delivered: true }]);
    expect(Buffer.compare(b.snapshots[0]!.state, data)).toBe(0);
    await Promise.all([a.transport.close(), b.transport.close()]);
    expect(timer.pending).toBe(0);
    await vi.waitFor(() => expect(openSockets()).toEqual([]));
  });

  it.each([
    ['a node that connects with a certificate of a stranger', 'a'],
    ['a node that is reached and shows a certificate of a stranger', 'b'],
  ] as const)('refuses %s', async (_, who) => {
    const of = (id: 'a' | 'b'): PeerTls =>
      id === who ? stranger.issue(id, authority.certificate) : authority.issue(id);
    const [a, b] = await members(of('a'), of('b'));
    const honest = who === 'a' ? b : a;
    introduce(a, b);
    await honest.problem(/certificate|SELF_SIGNED|issuer/i);
    await a.problem(/b at/);
    expect([...a.messages, ...b.messages]).toEqual([]);
    const said = [...a.problems, ...b.problems].join('');
    expect(said).not.toMatch(/PRIVATE|BEGIN/);
  });

  it('refuses a client without a certificate, one of TLS 1.2, and one without TLS', async () => {
    const [, b] = await members(null, authority.issue('b'));
    b.transport.setPeers([{ id: 'a', host: '127.0.0.1', port: 1 }]);
    const { key, cert, ca } = authority.issue('a');
    const older = { ca, key, cert, maxVersion: 'TLSv1.2' } as const;
    for (const settings of [{ ca }, older]) {
      const socket = connect({ ...b.address, ...settings, checkServerIdentity: () => undefined });
      const raw = new RawConnection(socket);
      socket.on('secureConnect', () => raw.hello());
      await raw.gone();
      expect(raw.of(FRAME.welcome)).toEqual([]);
    }
    const plain = await RawConnection.connect(b.address);
    plain.hello();
    await plain.gone();
    expect(plain.frames).toEqual([]);
    expect(b.problems.length).toBeGreaterThanOrEqual(3);
  });

  it('does not wait for ever for a greeting in either layer', async () => {
    const b = await Member.start('b', { tls: authority.issue('b'), limits: { handshakeMs: 50 } });
    open.push(b);
    const below = await RawConnection.connect(b.address);
    await below.gone();
    const { key, cert, ca } = authority.issue('a');
    const socket = connect({ ...b.address, key, cert, ca, checkServerIdentity: () => undefined });
    const above = new RawConnection(socket);
    await above.gone();
    await b.problem(/did not say who it is/);
  });

  it('closes while somebody has not got beyond the first bytes of TLS', async () => {
    const limits = { handshakeMs: 600_000 };
    const b = await Member.start('b', { tls: authority.issue('b'), limits });
    const raw = await RawConnection.connect(b.address);
    raw.socket.write(Buffer.from([0x16, 3, 1]));
    await b.transport.close();
    await raw.gone();
    expect(b.problems).toEqual([]);
  });

  it('rejects a start with texts that are no key and certificate', async () => {
    const tls = { ...authority.issue('a'), key: 'no key' };
    await expect(Member.start('a', { tls })).rejects.toThrow();
    const mixed = { ...authority.issue('a'), key: authority.issue('b').key };
    await expect(Member.start('a', { tls: mixed })).rejects.toThrow(/key values mismatch/);
  });
});
