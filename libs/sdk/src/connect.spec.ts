import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { address } from '@pawl/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from './connect.js';
import type { ConnectOptions } from './options.js';
import { ADDRESS, makeSnapshot } from './testing/make-snapshot.js';
import { NatsProcess } from './testing/nats-process.js';
import { SUBJECTS, TinyOwner } from './testing/tiny-owner.js';
import type { Pawl, Scope, ScopeEvents } from './types.js';

let nats: NatsProcess;
let owner: TinyOwner;
let cacheDir: string;
const pawls: Pawl[] = [];

const client = async (options: Partial<ConnectOptions> = {}): Promise<Pawl> => {
  const pawl = await connect({
    servers: nats.url,
    consumerId: 'c1',
    cacheDir,
    ackWindowMs: 20,
    ...options,
  });
  pawls.push(pawl);
  return pawl;
};
const next = <E extends keyof ScopeEvents>(scope: Scope, event: E) =>
  new Promise<ScopeEvents[E]>((resolve) => scope.on(event, resolve));
const version = (scope: Scope, wanted: number) =>
  new Promise<void>((resolve) => {
    const look = () => (scope.version >= wanted ? resolve() : undefined);
    scope.on('applied', look);
    look();
  });

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'pawl-sdk-cache-'));
  nats = await NatsProcess.create();
  await nats.start();
  owner = await TinyOwner.start(nats.url);
});
afterEach(async () => {
  await Promise.all(pawls.splice(0).map((pawl) => pawl.close()));
  await owner.connection.close();
  await nats.remove();
  await rm(cacheDir, { recursive: true, force: true });
});

describe('connect and open', () => {
  it('reads what is there, then what is pushed, and acknowledges both', async () => {
    await owner.publish({ version: 1, document: { limits: { maxItems: 10 } } });
    const pawl = await client({ workload: 'shop', labels: { region: 'eu' }, build: '7' });
    const scope = await pawl.open<{ limits: { maxItems: number } }>(ADDRESS);
    expect(scope.current.limits.maxItems).toBe(10);
    expect(Object.isFrozen(scope.current.limits)).toBe(true);
    expect(() => Object.assign(scope.current.limits, { maxItems: 1 })).toThrow(TypeError);
    await owner.until(() => owner.acks.some((ack) => ack.version === 1 && ack.state === 'applied'));

    const applied = next(scope as never, 'applied');
    await owner.publish({ version: 2, document: { limits: { maxItems: 20 } } });
    expect(await applied).toEqual({
      version: 2,
      previous: 1,
      changedPaths: ['limits.maxItems'],
      lowered: false,
    });
    expect(scope.get('limits.maxItems', 0)).toBe(20);
    await owner.until(() => owner.acks.some((ack) => ack.version === 2));
    await owner.until(() => owner.hellos.some(({ runs }) => runs[0]?.version === 2));
    expect(owner.hellos[0]).toMatchObject({ labels: { region: 'eu' }, build: '7' });
  });

  it('fetches a large content by its hash', async () => {
    const entries = Array.from({ length: 8_000 }, (_, index) => [
      `key-${index}`,
      { value: 'ü'.repeat(20), index },
    ]);
    const document = Object.fromEntries(entries) as never;
    const scope = await (async () => {
      await owner.publish({ version: 1, document });
      return (await client()).open(ADDRESS);
    })();
    expect(scope.current).toEqual(document);
    expect(scope.get('key-7999.index')).toBe(7_999);
    await owner.publish({ version: 2, document: { ...(document as object), more: 1 } });
    await version(scope, 2);
    expect(scope.get('more')).toBe(1);
  });

  it('catches up on a missed push through the heartbeat', async () => {
    await owner.publish({ version: 1 });
    const scope = await (await client()).open(ADDRESS);
    await owner.publish({ version: 2 }, 'missed');
    await version(scope, 2);
    expect(scope.current).toEqual({ version: 2 });
  });

  it('waits for an address that the owner learns of from the heartbeat', async () => {
    const opening = (await client()).open('acme/prod/checkout/eu');
    await owner.until(() => owner.hellos.some(({ runs }) => runs[0]?.version === 0));
    expect(owner.hellos[0]?.runs[0]?.address).toBe('acme/prod/checkout/eu');
    await owner.publish({ version: 1, address: 'acme/prod/checkout/eu' });
    expect((await opening).version).toBe(1);
  });

  it('follows an address that becomes absent and comes back', async () => {
    await owner.publish({ version: 1 });
    const scope = await (await client()).open(ADDRESS);
    const absent = next(scope, 'absent');
    await owner.publish({ version: 2, document: null });
    expect(await absent).toEqual({ version: 2 });
    expect(scope.current).toBeUndefined();
    expect(scope.get('version', 'default')).toBe('default');
    await owner.until(() => owner.acks.some((ack) => ack.version === 2 && ack.state === 'applied'));
    await owner.publish({ version: 3 });
    await version(scope, 3);
    expect(scope.current).toEqual({ version: 3 });
  });

  it('tells the owner why a snapshot was rejected, and stays', async () => {
    await owner.publish({ version: 1 });
    const validate = (document: { readonly version?: unknown }) => {
      if (document.version === 2) throw new Error('two is one too many');
    };
    const scope = await (await client()).open(ADDRESS, { validate });
    const rejected = next(scope, 'rejected');
    await owner.publish({ version: 2 });
    expect(await rejected).toEqual({ version: 2, reason: 'two is one too many' });
    await owner.until(() =>
      owner.acks.some(
        ({ state, reason }) => state === 'rejected' && reason === 'two is one too many',
      ),
    );
    await owner.until(() => owner.hellos.some(({ runs }) => runs[0]?.rejected?.version === 2));
    expect(scope.version).toBe(1);
    await owner.publish({ version: 3 });
    await version(scope, 3);
  });

  it('survives garbage of every kind', async () => {
    await owner.publish({ version: 1 });
    const scope = await (await client()).open(ADDRESS);
    const codes: string[] = [];
    const enough = new Promise<void>((resolve) => {
      scope.on('error', ({ code }) => {
        codes.push(code);
        if (codes.length === 5) resolve();
      });
    });
    const subject = SUBJECTS.push(address(ADDRESS));
    for (const garbage of ['', '{', 'null', '{"format":1}'])
      owner.connection.publish(subject, garbage);
    owner.push({ ...makeSnapshot({ version: 2 }), version: 5 }, true);
    owner.push(makeSnapshot({ version: 1 }), true);
    await enough;
    expect(codes).toEqual([...Array<string>(4).fill('malformed-message'), 'hash-mismatch']);
    expect(scope.version).toBe(1);
    await owner.publish({ version: 2 });
    await version(scope, 2);
  });

  it('does not apply garbage from the stream, and goes on when it is replaced', async () => {
    await owner.publish({ version: 1 });
    const good = makeSnapshot({ version: 2 });
    const subject = SUBJECTS.snapshot(address(ADDRESS));
    const scope = await (await client()).open(ADDRESS);
    const problem = next(scope, 'error');
    await owner.storeSnapshot({ ...good, version: 3 });
    owner.push({ ...good, version: 3 }, false);
    expect((await problem).code).toBe('hash-mismatch');
    owner.connection.publish(subject, 'not json at all');
    await owner.publish({ version: 4 });
    await version(scope, 4);
  });

  it('keeps two consumers under one id apart on disk', async () => {
    await owner.publish({ version: 1 });
    const first = await (await client()).open(ADDRESS);
    const second = await (await client()).open(ADDRESS);
    expect((await next(second, 'error')).code).toBe('cache-locked');
    await owner.publish({ version: 2 });
    await Promise.all([version(first, 2), version(second, 2)]);
    const files = await readdir(join(cacheDir, 'c1'));
    expect(files.filter((file) => !file.includes('.lkg'))).toEqual(['lock']);
  });
});

describe('restarts of the world', () => {
  it('catches up after the server was killed and came back', async () => {
    await owner.publish({ version: 1 });
    const scope = await (await client()).open(ADDRESS);
    await nats.kill();
    await nats.start();
    await owner.reconnected();
    // Before or after the consumer looks, having reconnected: then its heartbeat tells.
    await owner.publish({ version: 2 }, 'missed');
    await version(scope, 2);
    owner.answers = false;
    await owner.publish({ version: 3 });
    await version(scope, 3);
  });

  it('starts from the file while the server is down, and never goes back', async () => {
    await owner.publish({ version: 7 });
    const first = await client();
    await first.open(ADDRESS);
    await first.close();
    await nats.kill();
    const scope = await (await client({ openTimeoutMs: 600_000 })).open(ADDRESS);
    expect([scope.version, scope.current]).toEqual([7, { version: 7 }]);
    await nats.start();
    await owner.reconnected();
    await owner.publish({ version: 6 }, 'missed');
    await owner.publish({ version: 8 }, 'missed');
    await version(scope, 8);
  });

  it('starts from the file when the server hangs', async () => {
    await owner.publish({ version: 7 });
    const first = await client();
    await first.open(ADDRESS);
    await first.close();
    nats.signal('SIGSTOP');
    const scope = await (await client({ openTimeoutMs: 200 })).open(ADDRESS);
    expect(scope.version).toBe(7);
    nats.signal('SIGCONT');
  });

  it('uses no damaged file', async () => {
    await owner.publish({ version: 7 });
    const first = await client();
    await first.open(ADDRESS);
    await first.close();
    await nats.kill();
    const [file] = await readdir(join(cacheDir, 'c1'));
    await writeFile(join(cacheDir, 'c1', file!), 'x');
    const opening = (await client({ startTimeoutMs: 300 })).open(ADDRESS);
    await expect(opening).rejects.toMatchObject({ code: 'no-snapshot' });
  });

  it('names the servers that refuse, and no password, when there is nothing to start from', async () => {
    await nats.kill();
    const { host } = new URL(nats.url);
    const options = { servers: `nats://user:secret@${host}`, startTimeoutMs: 300 };
    const failure = await (await client(options)).open(ADDRESS).catch((error: Error) => error);
    expect((failure as Error).message).toMatch(
      new RegExp(`NATS at ${host} is not reached: .*refused`, 'i'),
    );
    expect((failure as Error).message).not.toContain('secret');
  });

  it('starts with the server down and no file as soon as it comes up', async () => {
    await owner.publish({ version: 1 });
    await nats.kill();
    const opening = (await client()).open(ADDRESS);
    await nats.start();
    const scope = await opening;
    expect(scope.version).toBe(1);
    owner.answers = false;
    await owner.reconnected();
    await owner.publish({ version: 2 });
    await version(scope, 2);
  });

  it('uses the file at once when the connection breaks while opening', async () => {
    const other = 'acme/prod/other';
    await owner.publish({ version: 1 });
    await owner.publish({ version: 5, address: other });
    const first = await client();
    await Promise.all([first.open(ADDRESS), first.open(other)]);
    await first.close();
    const second = await client({ openTimeoutMs: 600_000 });
    await second.open(ADDRESS);
    await nats.kill();
    expect((await second.open(other)).version).toBe(5);
  });
});

describe('close', () => {
  /** Well above the 2 s that are promised: only a close that hangs loses against it. */
  const CLOSE_DEADLINE_MS = 10_000;
  const closes = async (pawl: Pawl) => {
    const abort = new AbortController();
    const late = sleep(CLOSE_DEADLINE_MS, 'late', { signal: abort.signal }).catch(() => 'aborted');
    const outcome = await Promise.race([pawl.close().then(() => 'closed'), late]);
    abort.abort();
    return outcome;
  };

  it('flushes acks and says goodbye', async () => {
    await owner.publish({ version: 1 });
    const pawl = await client({ ackWindowMs: 60_000 });
    await pawl.open(ADDRESS);
    expect(owner.acks).toEqual([]);
    expect(await closes(pawl)).toBe('closed');
    await owner.until(
      () => owner.acks.length > 0 && owner.hellos.some(({ leaving }) => leaving === true),
    );
  });

  it('resolves whatever is down', async () => {
    await owner.publish({ version: 1 });
    const hung = await client();
    await hung.open(ADDRESS);
    nats.signal('SIGSTOP');
    expect(await closes(hung)).toBe('closed');
    nats.signal('SIGCONT');
    const killed = await client();
    await killed.open(ADDRESS);
    await nats.kill();
    expect(await closes(killed)).toBe('closed');
    expect(await closes(await client())).toBe('closed');
  });

  it('resolves while the first attempt hangs', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const pawl = await client({ servers: `127.0.0.1:${port}` });
    const opening = expect(pawl.open(ADDRESS)).rejects.toMatchObject({ code: 'closed' });
    expect(await closes(pawl)).toBe('closed');
    await opening;
    silent.close();
  });
});
