import 'reflect-metadata';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { problem, subjectsOf } from '@pawl/contracts';
import type { OwnerCommand } from '@pawl/contracts';
import { CommandOutcomeUnknownError } from '@pawl/engine';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectDistribution } from '../connect-distribution.js';
import { NatsTestServer } from '../testing/nats-test-server.js';
import type { CommandGate } from './command-gate.port.js';
import { distributionControllers, distributionProviders } from './distribution-controllers.js';
import { DroppedMessages } from './dropped-messages.js';
import { PawlNatsServer } from './pawl-nats.server.js';

class TestModule {}

const subjects = subjectsOf('main');

let server: NatsTestServer;
let bare: NatsConnection;
let node: INestMicroservice | undefined;
let done: OwnerCommand[];
let drops: string[];

beforeAll(async () => {
  server = await NatsTestServer.started();
  bare = await connect({ servers: server.url });
});
afterAll(async () => {
  await bare.close();
  await server.dispose();
});
beforeEach(() => {
  [done, drops] = [[], []];
});
afterEach(async () => {
  await node?.close();
  node = undefined;
});

/** A node that hears commands for shard 3 under token 7, and notes those that are done. */
async function startOwner(gate: CommandGate): Promise<void> {
  const dropped = new DroppedMessages({ onDrop: (kind, why) => drops.push(`${kind} ${why}`) });
  const strategy = new PawlNatsServer({
    servers: server.url,
    installation: 'main',
    dropped,
    gate,
  });
  const traffic = {
    hello: () => Promise.resolve(undefined),
    ack: () => undefined,
    vote: () => undefined,
  };
  const commands = {
    execute: async (_: unknown, command: OwnerCommand) => {
      done.push(command);
      return { format: 1, ok: true, value: 12 } as const;
    },
  };
  const module = {
    module: TestModule,
    controllers: distributionControllers,
    providers: distributionProviders({ traffic, commands, dropped }),
  };
  node = await NestFactory.createMicroservice(module, { strategy, logger: false });
  await node.listen();
  strategy.claim(3, 7n);
  await strategy.unwrap<NatsConnection>().flush();
}

const open = () =>
  connectDistribution({ servers: server.url, installation: 'main', installationId: 'one' });

const patch = (length: number): OwnerCommand => ({
  format: 1,
  kind: 'call',
  operation: 'patch-config',
  address: 'acme/prod',
  precondition: { kind: 'match-any' },
  context: { actor: 'ann' },
  patchKind: 'merge-patch',
  patch: { text: 'é'.repeat(length) },
});

describe('owner commands', () => {
  it('wait as they came for the gate, and are neither parsed nor done after their deadline', async () => {
    const waiting: { readonly bytes: number; readonly waitMs: number }[] = [];
    const begin: (() => void)[] = [];
    const arrivedMs: number[] = [];
    const gate: CommandGate = {
      run: async (command, work) => {
        waiting.push(command);
        arrivedMs.push(performance.now());
        await new Promise<void>((resolve) => void begin.push(resolve));
        await work();
        return undefined;
      },
    };
    await startOwner(gate);
    const { commands, close } = await open();
    const late = commands.send({ shard: 3, token: 7n }, patch(200_000), 200);
    await expect(late).rejects.toThrow(CommandOutcomeUnknownError);
    const soon = commands.send({ shard: 3, token: 7n }, patch(100), 20_000);
    const garbage = bare.request(subjects.command(3, 7n), '{', { timeout: 20_000 });
    await expect.poll(() => waiting.length).toBe(3);
    expect([done, drops]).toEqual([[], []]);
    await expect.poll(() => performance.now()).toBeGreaterThan((arrivedMs[0] ?? 0) + 200);
    for (const one of begin) one();
    expect(await soon).toMatchObject({ value: 12 });
    expect((await garbage).json()).toMatchObject({ problem: { code: 'malformed-json' } });
    expect(done).toEqual([patch(100)]);
    expect(drops.sort()).toEqual(['command malformed', 'command overloaded']);
    const bytes = (length: number) => Buffer.byteLength(JSON.stringify(patch(length)));
    expect(waiting.map((command) => command.bytes).sort((a, b) => a - b)).toEqual([
      1,
      bytes(100),
      bytes(200_000),
    ]);
    const waits = waiting.map(({ waitMs }) => waitMs);
    expect(waits).toEqual(expect.arrayContaining([150, 15_000]));
    await close();
  });

  it('that the gate refuses are told so, and are not parsed', async () => {
    const gate: CommandGate = {
      run: async () => problem('too-many-requests', 'full'),
    };
    await startOwner(gate);
    const { commands, close } = await open();
    expect(await commands.send({ shard: 3, token: 7n }, patch(200_000), 5_000)).toMatchObject({
      problem: { code: 'too-many-requests', detail: 'full' },
    });
    expect([done, drops]).toEqual([[], ['command overloaded']]);
    await close();
  });
});
