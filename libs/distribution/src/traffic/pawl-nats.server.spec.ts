import 'reflect-metadata';
import type { DynamicModule, INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, RequestError } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { problem, subjectsOf } from '@pawl/contracts';
import type { Ack, Hello, HelloReply } from '@pawl/contracts';
import { DistributionUnavailableError } from '@pawl/engine';
import type { ConsumerRef } from '@pawl/engine';
import { CommandOutcomeUnknownError, NoOwnerError } from '../commands/owner-command-client.js';
import type { OwnerCommand } from '../commands/owner-command.message.js';
import { connectDistribution } from '../connect-distribution.js';
import { NatsTestServer } from '../testing/nats-test-server.js';
import type { ConsumerTraffic, OwnerCommands } from './consumer-traffic.js';
import { distributionControllers, distributionProviders } from './distribution-controllers.js';
import { DroppedMessages } from './dropped-messages.js';
import { PawlNatsServer } from './pawl-nats.server.js';
import type { PawlNatsServerOptions } from './pawl-nats.server.js';

class TestModule {}

const subjects = subjectsOf('main');
const HELLO: Hello = { format: 1, incarnation: 'i1', labels: { region: 'eu' }, runs: [] };
const ACK: Ack = {
  format: 1,
  incarnation: 'i1',
  items: [{ address: 'acme/prod', generation: 1, version: 3, state: 'applied', ageMs: 4 }],
};
const REPLY: HelloReply = {
  format: 1,
  installation: 'main/one',
  fencingToken: '7',
  nextHelloMs: 1000,
  slot: 2,
  newest: [],
};
const SWEEP: OwnerCommand = { format: 1, kind: 'sweep', sweep: 'contents' };

/** An owner of every root but `foreign`, and of shard 3 under token 7. */
class TestOwner implements ConsumerTraffic, OwnerCommands {
  readonly hellos: [ConsumerRef, Hello][] = [];
  readonly acks: [ConsumerRef, Ack][] = [];
  readonly commands: OwnerCommand[] = [];
  onAck: () => void = () => undefined;

  async hello(from: ConsumerRef, hello: Hello): Promise<HelloReply | undefined> {
    this.hellos.push([from, hello]);
    if (from.workload === 'broken') throw new Error('no slot');
    return from.root === 'foreign' ? undefined : REPLY;
  }

  ack(from: ConsumerRef, ack: Ack): void {
    this.acks.push([from, ack]);
    this.onAck();
    if (from.workload === 'broken') throw new Error('no room');
  }

  async execute(shard: number, token: bigint, command: OwnerCommand) {
    this.commands.push(command);
    if (shard === 5) throw new Error('no disk');
    if (shard !== 3 || token !== 7n) {
      return { format: 1, ok: false, problem: problem('no-owner', 'somebody else') } as const;
    }
    return { format: 1, ok: true, removed: 12 } as const;
  }
}

let server: NatsTestServer;
let bare: NatsConnection;
let owner: TestOwner;
let drops: string[];
const running: INestMicroservice[] = [];

beforeAll(async () => {
  server = await NatsTestServer.started();
  bare = await connect({ servers: server.url });
});
afterAll(async () => {
  await bare.close();
  await server.dispose();
});
beforeEach(() => {
  owner = new TestOwner();
  drops = [];
});
afterEach(async () => {
  for (const app of running.splice(0)) await app.close();
});

async function startNode(options: Partial<PawlNatsServerOptions> = {}, of = owner) {
  const dropped = new DroppedMessages({ onDrop: (kind, why) => drops.push(`${kind} ${why}`) });
  const strategy = new PawlNatsServer({
    servers: server.url,
    installation: 'main',
    dropped,
    ...options,
  });
  const module: DynamicModule = {
    module: TestModule,
    controllers: distributionControllers,
    providers: distributionProviders({ traffic: of, commands: of, dropped }),
  };
  const app = await NestFactory.createMicroservice(module, { strategy, logger: false });
  running.push(app);
  await app.listen();
  return { app, strategy };
}

/** The reply as text, or why there is none. */
async function ask(subject: string, payload: string | Uint8Array): Promise<string> {
  try {
    return (await bare.request(subject, payload, { timeout: 300 })).string();
  } catch (error) {
    return error instanceof RequestError && error.isNoResponders() ? 'no responders' : 'silence';
  }
}

describe('heartbeats', () => {
  const subject = subjects.hello('acme', 'checkout', 'Pod_1-a');

  it('are plain JSON both ways, decoded from subject and message', async () => {
    await startNode();
    expect(await ask(subject, JSON.stringify(HELLO))).toBe(JSON.stringify(REPLY));
    const from = { root: 'acme', workload: 'checkout', consumerId: 'Pod_1-a' };
    expect(owner.hellos).toEqual([[from, HELLO]]);
  });

  it('of roots that another node owns, or that fail, get no answer', async () => {
    await startNode();
    const text = JSON.stringify(HELLO);
    expect(await ask(subjects.hello('foreign', 'w', 'c'), text)).toBe('silence');
    expect(await ask(subjects.hello('acme', 'broken', 'c'), text)).toBe('silence');
    expect(drops).toEqual(['hello failed']);
  });

  it('and acks of another installation’s consumers are neither handled nor answered', async () => {
    let foreign = true;
    await startNode({ foreign: () => foreign });
    const ack = subjects.ack('acme', 'checkout', 'c');
    bare.publish(ack, JSON.stringify(ACK));
    expect(await ask(subject, JSON.stringify(HELLO))).toBe('silence');
    expect(await ask(subjects.command(3, 7n), JSON.stringify(SWEEP))).toContain('"ok":true');
    expect([owner.hellos, owner.acks, drops]).toEqual([[], [], []]);
    foreign = false;
    bare.publish(ack, JSON.stringify(ACK));
    expect(await ask(subject, JSON.stringify(HELLO))).toBe(JSON.stringify(REPLY));
    expect(owner.acks).toHaveLength(1);
  });

  it.each([
    ['no JSON', '{'],
    ['no UTF-8', Buffer.from(JSON.stringify({ ...HELLO, build: '\u00ff' }), 'latin1')],
    ['empty', ''],
    ['another message', JSON.stringify(ACK)],
    ['labels that are no strings', JSON.stringify({ ...HELLO, labels: { a: 1 } })],
    ['a deep nest', '['.repeat(100_000)],
  ])('that are %s are dropped, and the next is answered', async (_, payload) => {
    await startNode();
    expect(await ask(subject, payload)).toBe('silence');
    expect(drops).toEqual(['hello malformed']);
    expect(owner.hellos).toEqual([]);
    expect(await ask(subject, JSON.stringify(HELLO))).toBe(JSON.stringify(REPLY));
  });

  it('that are too large, or on a subject that names no consumer, are dropped', async () => {
    await startNode();
    expect(await ask(subject, `"${'x'.repeat(600_000)}"`)).toBe('silence');
    expect(await ask(subjects.hello('Acme', 'w', 'c'), JSON.stringify(HELLO))).toBe('silence');
    expect(await ask(subjects.hello('acme', 'w', 'ü'), JSON.stringify(HELLO))).toBe('silence');
    expect(drops).toEqual(['hello oversized', 'hello malformed', 'hello malformed']);
  });
});

describe('acks', () => {
  it('reach the owner, and bad ones stop nothing', async () => {
    await startNode();
    const all = new Promise<void>((resolve) => {
      owner.onAck = () => owner.acks.length === 102 && resolve();
    });
    bare.publish(subjects.ack('acme', 'broken', 'c'), JSON.stringify(ACK));
    bare.publish(subjects.ack('acme', 'w', 'c'), 'garbage');
    bare.publish(subjects.ack('acme', 'w', 'c'), JSON.stringify({ ...ACK, items: [] }));
    bare.publish(subjects.ack('acme', 'w', 'x.y'), JSON.stringify(ACK));
    for (let n = 0; n < 100; n += 1) {
      bare.publish(subjects.ack('acme', 'w', `c${n}`), JSON.stringify(ACK));
    }
    bare.publish(subjects.ack('acme', 'last', 'c'), JSON.stringify(ACK));
    await all;
    expect(drops.sort()).toEqual(['ack failed', 'ack malformed', 'ack malformed']);
    const from = { root: 'acme', workload: 'last', consumerId: 'c' };
    expect(owner.acks.at(-1)).toEqual([from, ACK]);
  });
});

describe('owner commands', () => {
  const open = () =>
    connectDistribution({ servers: server.url, installation: 'main', installationId: 'one' });

  it('are executed by the owner and answered', async () => {
    await startNode();
    const { commands, close } = await open();
    expect(await commands.send({ shard: 3, token: 7n }, SWEEP, 5_000)).toEqual({
      format: 1,
      ok: true,
      removed: 12,
    });
    expect(owner.commands).toEqual([SWEEP]);
    await close();
  });

  it('fail with no owner, whether nobody listens or the node refuses', async () => {
    const { commands, close } = await open();
    const send = () => commands.send({ shard: 3, token: 8n }, SWEEP, 5_000);
    await expect(send()).rejects.toThrow(NoOwnerError);
    await startNode();
    await expect(send()).rejects.toThrow(/somebody else/);
    await expect(send()).rejects.toThrow(NoOwnerError);
    await close();
    await expect(send()).rejects.toThrow(DistributionUnavailableError);
  });

  it('tell a refusal, and an answer that is none', async () => {
    await startNode();
    const { commands, close } = await open();
    const failed = await commands.send({ shard: 5, token: 7n }, SWEEP, 5_000);
    expect(failed).toMatchObject({ ok: false, problem: { code: 'internal' } });
    expect(await ask(subjects.command(3, 7n), '{"format":1,"kind":"drop"}')).toContain('malformed');
    const deaf = bare.subscribe(subjects.command(9, 1n), { callback: () => undefined });
    await bare.flush();
    await running.pop()!.close();
    const send = () => commands.send({ shard: 9, token: 1n }, SWEEP, 200);
    await expect(send()).rejects.toThrow(CommandOutcomeUnknownError);
    deaf.unsubscribe();
    const odd = bare.subscribe(subjects.command(9, 1n), {
      callback: (_, message) => void message.respond('{"ok":1}'),
    });
    await bare.flush();
    await expect(send()).rejects.toThrow(CommandOutcomeUnknownError);
    odd.unsubscribe();
    await close();
  });

  it('reach the claiming node only, of several that hear their own', async () => {
    const others = new TestOwner();
    const claiming = await startNode({ commandSubjects: 'owned' });
    await startNode({ commandSubjects: 'owned' }, others);
    const { commands, close } = await open();
    const send = () => commands.send({ shard: 3, token: 7n }, SWEEP, 5_000);
    await expect(send()).rejects.toThrow(/nobody listens/);
    claiming.strategy.claim(3, 7n);
    claiming.strategy.claim(3, 7n);
    await claiming.strategy.unwrap<NatsConnection>().flush();
    expect(await send()).toMatchObject({ ok: true });
    expect(others.commands).toEqual([]);
    claiming.strategy.release(3, 7n);
    await claiming.strategy.unwrap<NatsConnection>().flush();
    await expect(send()).rejects.toThrow(NoOwnerError);
    await close();
  });
});

describe('PawlNatsServer', () => {
  it('listens while NATS is down, hears once it is up, and again after kill -9', async () => {
    const own = await NatsTestServer.create();
    const { strategy } = await startNode({ servers: own.url, commandSubjects: 'owned' });
    strategy.claim(3, 7n);
    expect(() => strategy.unwrap()).toThrow(/not been connected/);
    for (let round = 0; round < 2; round += 1) {
      const up = new Promise<void>((resolve) => strategy.on('up', resolve));
      await own.start();
      await up;
      await strategy.unwrap<NatsConnection>().flush();
      const client = await connect({ servers: own.url });
      const hello = await client.request(subjects.hello('acme', 'w', 'c'), JSON.stringify(HELLO));
      expect(hello.json()).toEqual(REPLY);
      const command = await client.request(subjects.command(3, 7n), JSON.stringify(SWEEP));
      expect(command.json()).toMatchObject({ removed: 12 });
      await client.close();
      const down = new Promise<void>((resolve) => strategy.on('down', resolve));
      await own.kill();
      await down;
    }
    await own.dispose();
  });

  it('answers what it has taken before it closes', async () => {
    let answer: (reply: HelloReply) => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      owner.hello = () => {
        resolve();
        return new Promise((reply) => (answer = reply));
      };
    });
    const { app } = await startNode();
    const request = bare.request(subjects.hello('acme', 'w', 'c'), JSON.stringify(HELLO), {
      timeout: 10_000,
    });
    await asked;
    const closing = app.close();
    const later = subjects.hello('acme', 'w', 'later');
    await expect.poll(() => ask(later, JSON.stringify(HELLO))).toBe('no responders');
    answer(REPLY);
    expect((await request).json()).toEqual(REPLY);
    await closing;
  });

  it('refuses a malformed server list', async () => {
    await expect(startNode({ servers: 'http://a' })).rejects.toThrow(TypeError);
    running.splice(0);
  });
});
