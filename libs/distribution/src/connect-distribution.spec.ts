import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { address, subjectsOf } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { DistributionUnavailableError } from '@pawl/engine';
import type { SnapshotPublisher } from '@pawl/engine';
import { connectDistribution } from './connect-distribution.js';
import type { Distribution, DistributionOptions } from './connect-distribution.js';
import { NatsTestServer } from './testing/nats-test-server.js';
import { recordingLogger, signal } from './testing/recording.js';
import { sampleSnapshot } from './testing/sample-snapshot.js';

const PROD = address('acme/prod');

let server: NatsTestServer;
let distribution: Distribution | undefined;

beforeEach(async () => {
  server = await NatsTestServer.create();
});
afterEach(async () => {
  await distribution?.close();
  await server.dispose();
});

async function open(options: Partial<DistributionOptions> = {}): Promise<SnapshotPublisher> {
  distribution = await connectDistribution({
    servers: server.url,
    installation: 'main',
    installationId: 'one',
    ...options,
  });
  return distribution.publisher;
}

function nextRestoration(publisher: SnapshotPublisher): Promise<void> {
  const restored = signal();
  publisher.onRestored(() => restored.fire());
  return restored.promise;
}

describe('connectDistribution', () => {
  it('resolves while NATS is down, refuses until it is up, and tells when it is', async () => {
    const publisher = await open();
    const text = '{"a":1}';
    expect(publisher.healthy()).toBe(false);
    expect(distribution?.connection).toBeUndefined();
    publisher.push(PROD, sampleSnapshot());
    const calls = [
      publisher.prepare(),
      publisher.read(PROD),
      publisher.publish(PROD, sampleSnapshot()),
      publisher.storeContent('acme', sha256(text), text),
      publisher.collectContents('acme', {
        referenced: new Set(),
        olderThanMs: 0,
        isOwner: async () => true,
      }),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ reason: expect.any(DistributionUnavailableError) as unknown });
    }
    const restored = nextRestoration(publisher);
    await server.start();
    await restored;
    expect(publisher.healthy()).toBe(true);
    expect(await publisher.publish(PROD, sampleSnapshot())).toEqual({ kind: 'stored' });
  });

  it('goes on after kill -9 of a server that kept its store', async () => {
    await server.start();
    const publisher = await open();
    await publisher.prepare();
    await publisher.publish(PROD, sampleSnapshot());
    const restored = nextRestoration(publisher);
    await server.kill();
    await expect.poll(() => publisher.healthy()).toBe(false);
    await server.start();
    await restored;
    expect(publisher.healthy()).toBe(true);
    await publisher.publish(PROD, sampleSnapshot());
    expect(await publisher.read(PROD)).toEqual(sampleSnapshot());
  });

  it('makes everything anew after kill -9 of a server that lost its store', async () => {
    await server.start();
    const publisher = await open();
    await publisher.prepare();
    const text = '{"lost":true}';
    await publisher.publish(PROD, sampleSnapshot());
    await publisher.storeContent('acme', sha256(text), text);
    const restored = nextRestoration(publisher);
    await server.kill();
    await server.wipe();
    await server.start();
    await restored;
    expect(await publisher.read(PROD)).toBeUndefined();
    expect(await publisher.publish(PROD, sampleSnapshot())).toEqual({ kind: 'stored' });
    await publisher.storeContent('acme', sha256(text), text);
    const bare = await connect({ servers: server.url });
    const manager = await jetstreamManager(bare);
    const info = await manager.streams.info(subjectsOf('main').contentStream);
    expect(info.state.messages).toBe(1);
    await bare.close();
  });

  it('rejects a call that runs when the server dies, without waiting for its deadline', async () => {
    await server.start();
    const publisher = await open({ requestTimeoutMs: 3_600_000 });
    await publisher.prepare();
    await server.freeze();
    const publishing = publisher.publish(PROD, sampleSnapshot());
    const [result] = await Promise.all([Promise.allSettled([publishing]), server.kill()]);
    expect(result).toMatchObject([{ reason: expect.any(DistributionUnavailableError) as unknown }]);
    await distribution?.close();
    await expect(publisher.read(PROD)).rejects.toThrow(DistributionUnavailableError);
    expect(publisher.healthy()).toBe(false);
  });

  it('closes although the server hangs', async () => {
    await server.start();
    const publisher = await open();
    await publisher.prepare();
    await server.freeze();
    const reading = publisher.read(PROD);
    const [result] = await Promise.all([Promise.allSettled([reading]), distribution?.close()]);
    expect(result).toMatchObject([{ reason: expect.any(DistributionUnavailableError) as unknown }]);
  });

  it('sends what was pushed before it closes', async () => {
    await server.start();
    const publisher = await open();
    const bare = await connect({ servers: server.url });
    const received: string[] = [];
    bare.subscribe(subjectsOf('main').push(PROD), {
      callback: (_, message) => void received.push(message.string()),
    });
    await bare.flush();
    for (let version = 1; version <= 100; version += 1) {
      publisher.push(PROD, sampleSnapshot({ version }));
    }
    await distribution?.close();
    await bare.flush();
    expect(received).toHaveLength(100);
    await bare.close();
  });

  it('connects with the credentials of its URL, and never logs them', async () => {
    const guarded = await NatsTestServer.started(['-js', '--user', 'pawl', '--pass', 'se:cret']);
    const logger = recordingLogger();
    const url = (password: string): string =>
      guarded.url.replace('nats://', `nats://pawl:${password}@`);
    try {
      const options = { installation: 'main', installationId: 'one', logger };
      const refused = await connectDistribution({ ...options, servers: url('wrong') });
      expect(refused.connection).toBeUndefined();
      await refused.close();
      distribution = await connectDistribution({ ...options, servers: url('se%3Acret') });
      await distribution.publisher.prepare();
      expect(distribution.publisher.healthy()).toBe(true);
      expect(logger.lines.join('\n')).not.toMatch(/cret|wrong/);
    } finally {
      await distribution?.close();
      await guarded.dispose();
    }
  });

  it.each(['', 'http://host', 'nats://', 'nats://host/path'])('refuses "%s"', async (servers) => {
    const options = { servers, installation: 'main', installationId: 'one' };
    await expect(connectDistribution(options)).rejects.toThrow(TypeError);
  });

  it('refuses a malformed installation name', async () => {
    const options = { servers: server.url, installation: 'no.dots', installationId: 'one' };
    await expect(connectDistribution(options)).rejects.toThrow(TypeError);
  });
});
