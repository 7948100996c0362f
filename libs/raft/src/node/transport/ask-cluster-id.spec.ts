import { afterEach, describe, expect, it, vi } from 'vitest';
import { askClusterId } from './ask-cluster-id.js';
import type { AskOptions } from './ask-cluster-id.js';
import { TestAuthority } from '../../testing/test-authority.js';
import { FRAME, oneFrame } from './peer-frame.js';
import { CLUSTER, CountingTimer, Member, openSockets, RawServer } from './transport.fixture.js';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

const NOBODY = { id: 'nobody', host: '127.0.0.1', port: 1 };

async function ask(changes: Partial<AskOptions>): Promise<string> {
  const timer = new CountingTimer();
  try {
    return await askClusterId({ nodeId: 'new', peers: [], timer, deadlineMs: 20_000, ...changes });
  } finally {
    expect(timer.pending).toBe(0);
  }
}

describe('a node that joins', () => {
  it('learns the cluster of its peers from one that answers, though it knows nobody', async () => {
    const b = await Member.start('b');
    open.push(b.transport);
    expect(await ask({ peers: [NOBODY, { id: 'b', ...b.address }] })).toBe(CLUSTER);
    expect(b.problems).toEqual([]);
  });

  it('asks until one does', async () => {
    let greeted = 0;
    const server = await RawServer.start((connection) => {
      greeted += 1;
      if (greeted < 3) connection.socket.destroy();
      else connection.welcome('b', 'f', 'some-cluster');
    });
    open.push(server);
    expect(await ask({ peers: [{ id: 'b', ...server.address }] })).toBe('some-cluster');
    expect(greeted).toBe(3);
  });

  it('gives up at the deadline and says what came of each', async () => {
    const silent = await RawServer.start();
    const strange = await RawServer.start(({ socket }) => socket.write('HTTP/1.1 400 Bad Request'));
    open.push(silent, strange);
    const peers = [
      NOBODY,
      { id: 'silent', ...silent.address },
      { id: 'strange', ...strange.address },
    ];
    const asked = ask({ peers, deadlineMs: 300 });
    await expect(asked).rejects.toThrow(
      /^no peer said within 300 ms which cluster it belongs to \(/,
    );
    const message = await asked.catch((error: Error) => error.message);
    expect(message).toMatch(/nobody at 127.0.0.1:1: .*ECONNREFUSED/);
    expect(message).toMatch(/silent at .*: did not answer/);
    expect(message).toMatch(/strange at .*: a frame of \d+ bytes/);
    await expect(ask({ deadlineMs: 10 })).rejects.toMatchObject({ name: 'NoClusterError' });
  });

  it('hears why it is refused', async () => {
    const server = await RawServer.start(({ socket }) => {
      socket.end(oneFrame(FRAME.refusal, Buffer.from([2, 0, 0, 0, 0x6e, 0x6f])));
    });
    open.push(server);
    const peers = [{ id: 'b', ...server.address }];
    await expect(ask({ peers, deadlineMs: 300 })).rejects.toThrow(/: no\)$/);
  });

  it('asks over TLS where that is spoken', async () => {
    const authority = new TestAuthority('quorum');
    const b = await Member.start('b', { tls: authority.issue('b') });
    open.push(b.transport);
    const peers = [{ id: 'b', ...b.address }];
    expect(await ask({ peers, tls: authority.issue('new') })).toBe(CLUSTER);
  });

  it('leaves nothing open', async () => {
    const b = await Member.start('b');
    await ask({ peers: [{ id: 'b', ...b.address }, NOBODY] });
    await b.transport.close();
    await vi.waitFor(() => expect(openSockets()).toEqual([]));
  });
});
