import 'reflect-metadata';
import type { DynamicModule, INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, RequestError } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { problem, subjectsOf } from '@pawl/contracts';
import type { Ack, Hello, HelloReply, OwnerCommand } from '@pawl/contracts';
import {
  CommandOutcomeUnknownError,
  DistributionUnavailableError,
  NoOwnerError,
} from '@pawl/engine';
import type { ConsumerRef, OwnerTarget } from '@pawl/engine';
import { connectDistribution } from '../connect-distribution.js';
import { splitMessage } from '../commands/message-parts.js';
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
  /** Heartbeats are answered after this. */
  helloed: Promise<void> = Promise.resolve();
  onAck: () => void = () => undefined;
  readonly vote = (): void => undefined;

  async hello(from: ConsumerRef, hello: Hello): Promise<HelloReply | undefined> {
    this.hellos.push([from, hello]);
    if (from.workload === 'broken') throw new Error('no slot');
    await this.helloed;
    return from.root === 'foreign' ? undefined : REPLY;
  }

  ack(from: ConsumerRef, ack: Ack): void {
    this.acks.push([from, ack]);
    this.onAck();
    if (from.workload === 'broken') throw new Error('no room');
  }

  /** What a sweep removes, or a call answers. */
  value: unknown = 12;

  async execute({ shard, token }: OwnerTarget, command: OwnerCommand) {
    this.commands.push(command);
    if (shard === 5) throw new Error('no disk');
    if (shard !== 3 || token !== 7n) {
      return { format: 1, ok: false, problem: problem('no-owner', 'somebody else') } as const;
    }
    return { format: 1, ok: true, value: this.value } as const;
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

/** A node that hears commands for these shards, all of them under token 7. */
async function startOwner(shards: number[], options: Partial<PawlNatsServerOptions> = {}) {
  const node = await startNode(options);
  for (const shard of shards) node.strategy.claim(shard, 7n);
  await node.strategy.unwrap<NatsConnection>().flush();
  return node;
}

/** The reply as text, or why there is none. What must not come is waited for briefly. */
async function ask(subject: string, payload: string | Uint8Array, ms = 10_000): Promise<string> {
  try {
    return (await bare.request(subject, payload, { timeout: ms })).string();
  } catch (error) {
    return error instanceof RequestError && error.isNoResponders() ? 'no responders' : 'silence';
  }
}

describe('heartbeats', () => {
  const subject = subjects.hello('acme', 'checkout', 'Pod_1-a');

  it('are plain JSON both ways, decoded from subject and message', async () => {
    await startNode();
    expect(await ask(subject, JSON.stringify(HELLO))).toBe(JSON.stringify(REPLY));
    expect(owner.hellos).toMatchObject([[{ workload: 'checkout', consumerId: 'Pod_1-a' }, HELLO]]);
  });

  it('get their answer in one message, however many addresses it names', async () => {
    const long = { generation: 1, version: 1, hash: 'a'.repeat(64) };
    const newest = Array.from({ length: 1_000 }, (_, n) => ({
      address: `acme/${'x'.repeat(500)}${n}`,
      ...long,
    }));
    owner.hello = async () => ({ ...REPLY, newest });
    await startNode();
    expect(await ask(subject, JSON.stringify(HELLO))).toBe(JSON.stringify({ ...REPLY, newest }));
  });

  it('of roots that another node owns, or that fail, get no answer', async () => {
    await startNode();
    const text = JSON.stringify(HELLO);
    expect(await ask(subjects.hello('foreign', 'w', 'c'), text, 300)).toBe('silence');
    expect(await ask(subjects.hello('acme', 'broken', 'c'), text, 300)).toBe('silence');
    expect(drops).toEqual(['hello failed']);
  });

  it('and acks of another installation’s consumers are neither handled nor answered', async () => {
    let foreign = true;
    await startOwner([3], { foreign: () => foreign });
    const ack = subjects.ack('acme', 'checkout', 'c');
    bare.publish(ack, JSON.stringify(ACK));
    expect(await ask(subject, JSON.stringify(HELLO), 300)).toBe('silence');
    expect(await ask(subjects.command(3, 7n), JSON.stringify(SWEEP))).toContain('"ok":true');
    expect([owner.hellos, owner.acks, drops]).toEqual([[], [], []]);
    foreign = false;
    bare.publish(ack, JSON.stringify(ACK));
    expect(await ask(subject, JSON.stringify(HELLO))).toBe(JSON.stringify(REPLY));
    expect(owner.acks).toHaveLength(1);
  });

  it('of roots that are not served here are not even parsed', async () => {
    await startNode({ serves: (root) => root === 'acme' });
    expect(await ask(subjects.hello('other', 'w', 'c'), 'garbage', 300)).toBe('silence');
    expect(await ask(subject, JSON.stringify(HELLO))).toBe(JSON.stringify(REPLY));
    bare.publish(subjects.ack('other', 'w', 'c'), JSON.stringify(ACK));
    bare.publish(subjects.ack('acme', 'w', 'c'), JSON.stringify(ACK));
    await expect.poll(() => owner.acks.length).toBe(1);
    expect([owner.hellos.length, owner.acks[0]?.[0].root, drops]).toEqual([1, 'acme', []]);
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
    expect(await ask(subject, payload, 300)).toBe('silence');
    expect(drops).toEqual(['hello malformed']);
    expect(owner.hellos).toEqual([]);
    expect(await ask(subject, JSON.stringify(HELLO))).toBe(JSON.stringify(REPLY));
  });

  it('that are too large, or on a subject that names no consumer, are dropped', async () => {
    await startNode();
    expect(await ask(subject, `"${'x'.repeat(600_000)}"`, 300)).toBe('silence');
    for (const nobody of [subjects.hello('Acme', 'w', 'c'), subjects.hello('acme', 'w', 'ü')]) {
      expect(await ask(nobody, JSON.stringify(HELLO), 300)).toBe('silence');
    }
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
    await startOwner([3]);
    const { commands, close } = await open();
    const answer = await commands.send({ shard: 3, token: 7n }, SWEEP, 5_000);
    expect(answer).toEqual({ format: 1, ok: true, value: 12 });
    expect(owner.commands).toEqual([SWEEP]);
    await close();
  });

  it('are executed while as many heartbeats as may wait for their answers', async () => {
    let answer = (): void => undefined;
    owner.helloed = new Promise((resolve) => (answer = resolve));
    await startOwner([3]);
    const hello = JSON.stringify(HELLO);
    const subject = subjects.hello('acme', 'checkout', 'c');
    for (let n = 0; n < 2_001; n += 1) bare.publish(subject, hello, { reply: '_INBOX.none' });
    await bare.flush();
    const { commands, close } = await open();
    expect(await commands.send({ shard: 3, token: 7n }, SWEEP, 5_000)).toMatchObject({ value: 12 });
    expect([owner.hellos.length, drops]).toEqual([2_000, ['hello overloaded']]);
    answer();
    await close();
  });

  it('fail with no owner, whether nobody listens or the node refuses', async () => {
    const { commands, close } = await open();
    const send = () => commands.send({ shard: 4, token: 7n }, SWEEP, 5_000);
    await expect(send()).rejects.toThrow(NoOwnerError);
    await startOwner([4]);
    await expect(send()).rejects.toThrow(/somebody else/);
    await expect(send()).rejects.toThrow(NoOwnerError);
    await close();
    await expect(send()).rejects.toThrow(DistributionUnavailableError);
  });

  it('tell a refusal, and an answer that is none', async () => {
    await startOwner([3, 5]);
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

  it('of any size arrive, and so do their answers, several at a time', async () => {
    await startOwner([3]);
    const { commands, close } = await open();
    owner.value = { text: 'ß€'.repeat(1_500_000) };
    const sizes = [10, 130_000, 1_100_000];
    const sent = sizes.map((size) => commands.send({ shard: 3, token: 7n }, patch(size), 20_000));
    for (const reply of await Promise.all(sent)) {
      expect(reply.ok && reply.value).toEqual(owner.value);
    }
    expect(owner.commands).toHaveLength(sizes.length);
    expect(owner.commands).toEqual(expect.arrayContaining(sizes.map(patch)));
    await close();
  });

  it('whose answer is too long are told so', async () => {
    await startOwner([3]);
    const { commands, close } = await open();
    owner.value = 'x'.repeat(33 * 1024 * 1024);
    const reply = await commands.send({ shard: 3, token: 7n }, SWEEP, 20_000);
    expect(reply).toMatchObject({ ok: false, problem: { code: 'too-large' } });
    await close();
  });

  it('of which a part is lost are not executed, and may be sent again', async () => {
    await startOwner([3]);
    const [first, , third] = splitMessage(JSON.stringify(patch(300_000)), 'id');
    bare.publish(subjects.command(3, 7n), first?.data, { headers: first!.headers! });
    const reply = await bare.request(subjects.command(3, 7n), third?.data, {
      headers: third!.headers!,
      timeout: 5_000,
    });
    expect(reply.json()).toMatchObject({ ok: false, problem: { code: 'no-owner' } });
    expect(owner.commands).toEqual([]);
    expect(drops).toEqual(['command malformed']);
  });

  it.each([
    ['a key twice', '{"format":1,"format":1}', 'duplicate-key'],
    ['a prototype', '{"__proto__":{}}', 'forbidden-key'],
    ['no JSON', '{', 'malformed-json'],
    ['a deep nest', '['.repeat(10_000), 'too-deep'],
  ])('with %s are refused', async (_, text, code) => {
    await startOwner([3]);
    expect(JSON.parse(await ask(subjects.command(3, 7n), text))).toMatchObject({
      ok: false,
      problem: { code },
    });
    expect(owner.commands).toEqual([]);
  });

  it('that are on their way while their shard is released are answered, not lost', async () => {
    const { strategy } = await startOwner([3]);
    const { commands, close } = await open();
    const sent = Array.from({ length: 200 }, () =>
      commands.send({ shard: 3, token: 7n }, SWEEP, 2_000).then(
        () => 'done',
        (error: Error) => error.name,
      ),
    );
    await Promise.resolve();
    strategy.release(3, 7n);
    expect(await Promise.all(sent)).not.toContain('CommandOutcomeUnknownError');
    await close();
  });

  it('reach the claiming node only, of several that hear their own', async () => {
    const others = new TestOwner();
    const claiming = await startNode();
    await startNode({}, others);
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
    const { strategy } = await startNode({ servers: own.url });
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
      expect(command.json()).toMatchObject({ value: 12 });
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
      owner.hello = ({ consumerId }) => {
        // One that comes before the node has stopped to hear.
        if (consumerId === 'later') return Promise.resolve(REPLY);
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
