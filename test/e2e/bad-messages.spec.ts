import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NatsConnection } from '@nats-io/transport-node';
import { connect } from '@nats-io/transport-node';
import type { Snapshot, Versioned } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import type { AppliedEvent, PawlError, RejectedEvent, Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { addressOf, forge, pushOf, storedSnapshot, SUBJECTS } from '../support/stack-nats.js';
import { startStack, type TestStack } from '../support/stack.js';

let stack: TestStack;
let nats: NatsConnection;
let pid: number;
beforeAll(async () => {
  stack = await startStack();
  nats = await connect({ servers: stack.nats.url });
  pid = stack.controlPlane.pid;
});
afterAll(async () => {
  await nats?.close();
  await stack?.stop();
});

afterEach(async () => {
  expect(stack.controlPlane.pid).toBe(pid);
  expect((await stack.send({ path: '/readyz' })).status).toBe(200);
});

async function stored(address: string): Promise<Snapshot> {
  const snapshot = await storedSnapshot(stack.nats.url, address);
  if (snapshot === undefined) throw new Error(`JetStream holds nothing of ${address}`);
  return snapshot;
}

const promote = (address: string, document: object): Promise<number> =>
  stack.promote(address, document);
const expectConverged = (address: string): Promise<unknown> => stack.converged(address, 1);

describe('a consumer that is pushed', () => {
  const ADDRESS = 'push/app';
  const PUSH = SUBJECTS.push(addressOf(ADDRESS));
  let n = 0;
  let older: Snapshot;
  let held: Snapshot;
  let scope: Scope<{ readonly n: number }>;
  let applied: AppliedEvent[];
  let rejected: RejectedEvent[];
  let errors: PawlError[];

  const runs = (wanted: number): Promise<void> =>
    eventually(() => expect(scope.current).toEqual({ n: wanted }));

  beforeAll(async () => {
    await promote(ADDRESS, { n: (n += 1) });
    const pawl = await stack.connectSdk({ consumerId: 'pushed', ackWindowMs: 10 });
    scope = await pawl.open(ADDRESS);
    scope.on('applied', (event) => applied.push(event));
    scope.on('rejected', (event) => rejected.push(event));
    scope.on('error', (error) => errors.push(error));
    [applied, rejected, errors] = [[], [], []];
    await runs(n);
  });

  beforeEach(async () => {
    older = await stored(ADDRESS);
    await promote(ADDRESS, { n: (n += 1) });
    await runs(n);
    await expectConverged(ADDRESS);
    held = await stored(ADDRESS);
    expect(held.version).toBe(scope.version);
    [applied, rejected, errors] = [[], [], []];
  });

  /** It runs what it ran, and the next good version is the next that it applies. */
  async function expectUndisturbed(): Promise<void> {
    expect(scope.current).toEqual({ n });
    expect(scope.version).toBe(held.version);
    await promote(ADDRESS, { n: (n += 1) });
    await runs(n);
    expect(applied).toMatchObject([{ version: held.version + 1, previous: held.version }]);
    await expectConverged(ADDRESS);
  }

  const lowered = (): Partial<Snapshot> => ({
    version: held.version + 1,
    inputs: held.inputs.map((input) => ({
      ...input,
      definitionVersion: (input.definitionVersion ?? 0) - 1,
    })),
    variants: older.variants,
  });

  it.each<[string, () => string | Uint8Array, PawlError['code']]>([
    ['noise', () => Uint8Array.from([0, 255, 7, 128]), 'malformed-message'],
    ['nothing', () => '', 'malformed-message'],
    ['another message', () => '{"format":1}', 'malformed-message'],
    ['a later format', () => pushOf({ ...held, format: 2 as 1 }), 'malformed-message'],
    ['a push whose snapshot is none', () => pushOf({ hello: 1 } as never), 'malformed-message'],
    [
      'a snapshot without its inputs',
      () => {
        const { inputs: _, ...rest } = held;
        return pushOf({ ...rest, version: held.version + 1 } as Snapshot);
      },
      'malformed-message',
    ],
    [
      'a snapshot of another address',
      () => pushOf(forge(held, { address: 'push/other', version: held.version + 1 })),
      'malformed-message',
    ],
    [
      'a snapshot with a wrong hash',
      () => pushOf({ ...held, version: held.version + 1, hash: 'f'.repeat(64) }),
      'hash-mismatch',
    ],
    [
      'a snapshot changed after it was hashed',
      () => pushOf({ ...held, version: held.version + 1 }),
      'hash-mismatch',
    ],
    [
      "another installation's",
      () =>
        pushOf(
          forge(held, {
            version: held.version + 1,
            installation: 'main/00000000-0000-4000-8000-000000000000',
          }),
        ),
      'foreign-installation',
    ],
    [
      'the held version with another hash',
      () => pushOf(forge(held, { variants: older.variants })),
      'version-conflict',
    ],
  ])('%s: says so and runs on', async (_what, payload, code) => {
    nats.publish(PUSH, payload());
    await eventually(() => expect(errors.map((error) => error.code)).toContain(code));
    expect(rejected).toEqual([]);
    await expectUndisturbed();
  });

  it('an older snapshot: passes it over without a word', async () => {
    nats.publish(PUSH, pushOf(older));
    await expectUndisturbed();
    expect(errors).toEqual([]);
    expect(rejected).toEqual([]);
  });

  it('a layer lowered without loweredAt: rejects it, and the owner hears why', async () => {
    nats.publish(PUSH, pushOf(forge(held, lowered())));
    await eventually(() => expect(rejected).toMatchObject([{ version: held.version + 1 }]));
    expect(rejected[0]?.reason).toContain(`layer ${ADDRESS} was at definition version`);
    await eventually(async () => {
      const { items } = await stack.admin().consumers(ADDRESS);
      expect(items).toMatchObject([{ version: held.version, reason: rejected[0]?.reason }]);
    });
    await expectUndisturbed();
  });

  it('a document that is not what its snapshot hashed: rejects it', async () => {
    const variants = { '': { ...held.variants['']!, inline: { n: -1 } } };
    nats.publish(PUSH, pushOf(forge(held, { version: held.version + 1, variants })));
    await eventually(() => expect(rejected).toMatchObject([{ version: held.version + 1 }]));
    await expectUndisturbed();
  });

  it('a layer lowered with loweredAt: goes down, as the one thing of these that it should', async () => {
    const inputs = lowered().inputs!.map((input) => ({
      ...input,
      releaseVersion: input.releaseVersion + 1,
      loweredAt: input.releaseVersion + 1,
    }));
    nats.publish(PUSH, pushOf(forge(held, { ...lowered(), inputs })));
    await eventually(() =>
      expect(applied).toMatchObject([{ version: held.version + 1, lowered: true }]),
    );
    expect(rejected).toEqual([]);
  });
});

describe('a stream that holds', () => {
  let count = 0;

  /** Puts something where the snapshot of a released address should be; the address. */
  async function spoil(spoiled: (good: Snapshot) => string): Promise<string> {
    const address = `spoiled/app-${(count += 1)}`;
    const pushes = nats.subscribe(SUBJECTS.push(addressOf(address)));
    await nats.flush();
    await promote(address, { n: 1 });
    const good = await eventually(async () => {
      const found = await stored(address);
      expect(found.variants['']?.inline).toEqual({ n: 1 });
      return found;
    });
    // Its push follows it, and would tell a newcomer of it all the same.
    for await (const push of pushes) if (push.json<Versioned>().version === good.version) break;
    const ack = await nats.request(SUBJECTS.snapshot(addressOf(address)), spoiled(good), {
      timeout: 5_000,
    });
    expect(ack.json()).toMatchObject({ stream: SUBJECTS.snapshotStream });
    return address;
  }

  const cases: readonly [string, (good: Snapshot) => string][] = [
    ['noise', () => '\u0000{'],
    ['a snapshot with a wrong hash', (good) => JSON.stringify({ ...good, hash: '0'.repeat(64) })],
    [
      "another installation's snapshot",
      (good) => JSON.stringify(forge(good, { installation: 'main/elsewhere' })),
    ],
  ];

  it.each(cases)(
    '%s: a new consumer does not start from it and gets the next good version',
    async (_what, spoiled) => {
      const address = await spoil(spoiled);
      const pawl = await stack.connectSdk({ consumerId: 'newcomer' });
      // The installation is known from here on, as it is to everybody who has run before.
      await pawl.open('push/app');
      await expect(pawl.open(address, { startTimeoutMs: 500 })).rejects.toMatchObject({
        code: 'no-snapshot',
      });
      const opening = pawl.open<{ n: number }>(address);
      await promote(address, { n: 2 });
      const scope = await opening;
      await eventually(() => expect(scope.current).toEqual({ n: 2 }));
      await pawl.close();
    },
  );

  it.each(cases)('%s: is put right when its owner comes back', async (_what, spoiled) => {
    const address = await spoil(spoiled);
    await stack.controlPlane.kill();
    await stack.controlPlane.start();
    pid = stack.controlPlane.pid;
    const pawl = await stack.connectSdk({ consumerId: 'after', startTimeoutMs: 60_000 });
    const scope = await pawl.open<{ n: number }>(address);
    await eventually(() => expect(scope.current).toEqual({ n: 1 }));
    await pawl.close();
  });
});

describe('a control plane that is sent nonsense', () => {
  const nested = '{"a":'.repeat(5_000) + '1' + '}'.repeat(5_000);
  const payloads: readonly (string | Uint8Array)[] = [
    '',
    'null',
    '7',
    '[]',
    '{}',
    '{"format":1}',
    '{"format":99,"incarnation":"x","labels":{},"runs":[]}',
    '{"format":1,"incarnation":7,"labels":null,"runs":"all","items":{}}',
    '{"__proto__":{"polluted":true}}',
    nested,
    'x'.repeat(900_000),
    Uint8Array.from({ length: 4_096 }, (_, n) => (n * 7) % 256),
  ];
  const kinds = ['hello', 'ack', 'command'] as const;
  const subjects = {
    hello: [SUBJECTS.hello('push', 'w', 'c'), `${SUBJECTS.prefix}.hello.NOT-A-ROOT.w.c`],
    ack: [SUBJECTS.ack('push', 'w', 'c'), `${SUBJECTS.prefix}.ack.push.ö.c`],
    command: [] as string[],
  };

  /** Where commands for a shard are heard: under the token that its owner has now. */
  async function commandSubject(shard: number): Promise<string> {
    const { shards } = await stack.admin().cluster();
    return SUBJECTS.command(shard, BigInt(shards[shard]?.fencingToken ?? 0));
  }

  beforeAll(async () => {
    subjects.command = [await commandSubject(0), await commandSubject(1)];
  });

  async function dropped(kind: string): Promise<number> {
    const { text } = await stack.send({ path: '/metrics' });
    const lines = text.matchAll(/^pawl_dropped_messages_total\{(.*)\} ([0-9]+)$/gm);
    return [...lines]
      .filter(([, labels]) => labels?.includes(`kind="${kind}"`))
      .reduce((sum, [, , count]) => sum + Number(count), 0);
  }

  it.each(kinds)('on %s: counts it, goes on', async (kind) => {
    const before = await dropped(kind);
    const sent = subjects[kind].flatMap((subject) =>
      payloads.map((payload) => nats.publish(subject, payload)),
    ).length;
    await nats.flush();
    await eventually(async () => expect(await dropped(kind)).toBe(before + sent));
    expect((await stack.send({ path: '/healthz' })).status).toBe(200);
  });

  it('answers a command that is none with a refusal', async () => {
    const reply = await nats.request(await commandSubject(3), '{"kind":"destroy"}', {
      timeout: 5_000,
    });
    expect(reply.json()).toMatchObject({ ok: false, problem: { code: 'malformed-request' } });
  });

  it('does not even hear a command under another token than its own', async () => {
    const request = nats.request(SUBJECTS.command(3, 4n), '{"kind":"destroy"}', { timeout: 5_000 });
    await expect(request).rejects.toThrow(/no responders/);
  });

  it('hears its consumers all the same', async () => {
    await promote('heard/app', { n: 1 });
    const pawl = await stack.connectSdk({ consumerId: 'heard' });
    await pawl.open('heard/app');
    await expectConverged('heard/app');
  });
});

it('hashes as the product does, so that the forgeries above are refused for what they say', async () => {
  const good = await stored('push/app');
  expect(forge(good, {}).hash).toBe(good.hash);
  expect(sha256(JSON.stringify(good.variants['']?.inline))).toBe(good.variants['']?.hash);
});
