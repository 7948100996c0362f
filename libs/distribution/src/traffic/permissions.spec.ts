import 'reflect-metadata';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { ABSENT_HASH, address, subjectsOf } from '@pawl/contracts';
import type { Hello, OwnerCommand, Prepare, Vote } from '@pawl/contracts';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { sha256 } from '@pawl/contracts/node';
import { connectDistribution } from '../connect-distribution.js';
import { NatsTestServer } from '../testing/nats-test-server.js';
import { recordingLogger, signal } from '../testing/recording.js';
import { sampleSnapshot } from '../testing/sample-snapshot.js';
import { distributionControllers, distributionProviders } from './distribution-controllers.js';
import { DroppedMessages } from './dropped-messages.js';
import { PawlNatsServer } from './pawl-nats.server.js';

class TestModule {}

const OPERATIONS = new URL('../../../../docs/operations.md', import.meta.url);
const PROD = address('acme/prod');
const HELLO: Hello = { format: 1, incarnation: 'i1', labels: {}, runs: [] };
const PREPARE: Prepare = {
  ...{ format: 1, installation: 'main/one', id: 'p1', address: 'acme/prod', fencingToken: '7' },
  ...{ version: 4, hash: ABSENT_HASH, size: 0, absent: true, deadlineMs: 2_000 },
};
const VOTE: Vote = {
  ...{ format: 1, incarnation: 'i1' },
  items: [{ id: 'p1', address: 'acme/prod', hash: ABSENT_HASH, verdict: 'accept' }],
};
const TEXT = '{"stored":"apart"}';
const SWEEP: OwnerCommand = { format: 1, kind: 'sweep', sweep: 'contents' };
const subjects = subjectsOf('main');

/** A server with the permissions that the documentation gives, as it gives them. */
async function documentedServer(): Promise<NatsTestServer> {
  const text = await readFile(OPERATIONS, 'utf8');
  const block = /```\n(NODE = \{[^`]+)```/.exec(text)?.[1];
  if (block === undefined) throw new Error('docs/operations.md gives no permissions');
  const folder = await mkdtemp(join(tmpdir(), 'pawl-permissions-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'nats.conf');
  await writeFile(file, block.replaceAll('…', 'secret'));
  const server = await NatsTestServer.started(['-js', '-c', file]);
  onTestFinished(() => server.dispose());
  return server;
}

it('the documented permissions let nodes and consumers work, and no consumer command', async () => {
  const server = await documentedServer();
  const servers = `nats://node:secret@127.0.0.1:${server.port}`;
  const heard: OwnerCommand[] = [];
  const voted = signal();
  const dropped = new DroppedMessages();
  const logger = recordingLogger();
  const refusals = () => logger.lines.filter((line) => !line.startsWith('info'));
  const strategy = new PawlNatsServer({ servers, installation: 'main', dropped, logger });
  const traffic = {
    hello: async () => ({
      format: 1 as const,
      installation: 'main/one',
      fencingToken: '7',
      nextHelloMs: 1000,
      slot: null,
      newest: [],
    }),
    ack: () => undefined,
    vote: () => voted.fire(),
  };
  const commands = {
    execute: async (_: unknown, command: OwnerCommand) => {
      heard.push(command);
      return { format: 1 as const, ok: true as const, value: 12 };
    },
  };
  const module: DynamicModule = {
    module: TestModule,
    controllers: distributionControllers,
    providers: distributionProviders({ traffic, commands, dropped }),
  };
  const app = await NestFactory.createMicroservice(module, { strategy, logger: false });
  onTestFinished(() => app.close());
  await app.listen();
  strategy.claim(3, 7n);
  const node = await connectDistribution({
    servers,
    installation: 'main',
    installationId: 'one',
    logger,
  });
  onTestFinished(() => node.close());
  await node.publisher.prepare();
  const snapshot = sampleSnapshot();
  const consumer = await connect({ servers: server.url, user: 'consumer', pass: 'secret' });
  onTestFinished(() => consumer.close());
  const pushed = new Promise((resolve) => {
    consumer.subscribe(subjects.push(PROD), { callback: (_, { data }) => resolve(data.length) });
  });
  const asked = new Promise((resolve) => {
    consumer.subscribe(subjects.prepare(PROD), {
      callback: (_, message) => resolve(message.json()),
    });
  });
  await consumer.flush();
  await node.publisher.publish(PROD, snapshot);
  await node.publisher.storeContent('acme', sha256(TEXT), TEXT);
  node.publisher.push(PROD, snapshot);
  expect(await pushed).toBeGreaterThan(0);
  const kept = `$JS.API.DIRECT.GET.${subjects.snapshotStream}.${subjects.snapshot(PROD)}`;
  expect((await consumer.request(kept)).json()).toMatchObject({ address: 'acme/prod' });
  const content = `$JS.API.DIRECT.GET.${subjects.contentStream}.${subjects.content('acme', sha256(TEXT))}`;
  expect((await consumer.request(content)).string()).toBe(TEXT);
  const hello = subjects.hello('acme', 'checkout', 'c');
  expect((await consumer.request(hello, JSON.stringify(HELLO))).json()).toMatchObject({
    fencingToken: '7',
  });

  node.publisher.askToPrepare(PROD, PREPARE);
  expect(await asked).toEqual(PREPARE);
  consumer.publish(subjects.vote('acme', 'checkout', 'c'), JSON.stringify(VOTE));
  await voted.promise;

  const forged = consumer.request(subjects.command(3, 7n), JSON.stringify(SWEEP));
  await expect(forged).rejects.toThrow(/permissions violation/i);
  expect(await node.commands.send({ shard: 3, token: 7n }, SWEEP, 5_000)).toMatchObject({
    value: 12,
  });
  expect(heard).toEqual([SWEEP]);

  await node.publisher.collectContents('acme', {
    referenced: new Set(),
    olderThanMs: 0,
    isOwner: async () => true,
  });
  await node.publisher.remove(PROD, 7n);
  expect(await node.publisher.read(PROD)).toBeUndefined();
  // What a node subscribes to, the server's word on its streams with it, is refused in the background.
  await Promise.all([node.connection?.flush(), strategy.connection?.flush()]);
  expect(refusals()).toEqual([]);
  const restored = signal();
  node.publisher.onRestored(() => restored.fire());
  await (await jetstreamManager(node.connection!)).streams.delete(subjects.snapshotStream);
  await restored.promise;
});
