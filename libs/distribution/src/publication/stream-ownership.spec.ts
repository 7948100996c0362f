import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import { address, subjectsOf } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { DistributionUnavailableError } from '@pawl/engine';
import { connectDistribution } from '../connect-distribution.js';
import type { Distribution, DistributionOptions } from '../connect-distribution.js';
import { SILENT } from '../connection/logger.js';
import { NatsTestServer } from '../testing/nats-test-server.js';
import { recordingLogger, signal } from '../testing/recording.js';
import { sampleSnapshot } from '../testing/sample-snapshot.js';
import { provideStreams } from './provide-streams.js';
import { wantedStreams } from './stream-config.js';
import { StreamSetupError } from './stream-setup-error.js';

const PROD = address('acme/prod');
const TEXT = '{"stored":"apart"}';

let server: NatsTestServer;
let bare: NatsConnection;
let manager: JetStreamManager;
let installations = 0;
let installation: string;
const open: Distribution[] = [];

beforeAll(async () => {
  server = await NatsTestServer.started();
  bare = await connect({ servers: server.url });
  manager = await jetstreamManager(bare);
});
afterAll(async () => {
  await bare.close();
  await server.dispose();
});
beforeEach(() => {
  installation = `owner-${(installations += 1)}`;
});
afterEach(async () => {
  for (const distribution of open.splice(0)) await distribution.close();
});

const subjects = () => subjectsOf(installation);
const ours = () => `${installation}/ours`;
const theirs = () => `${installation}/theirs`;
const STREAMS = ['snapshotStream', 'contentStream'] as const;

async function distribution(options: Partial<DistributionOptions> = {}): Promise<Distribution> {
  const servers = server.url;
  const made = await connectDistribution({
    servers,
    installation,
    installationId: 'ours',
    ...options,
  });
  open.push(made);
  return made;
}

/** What another installation of our name left: a snapshot and a content, each in its stream. */
async function leaveTheirs(): Promise<void> {
  const { publisher, close } = await connectDistribution({
    servers: server.url,
    installation,
    installationId: 'theirs',
  });
  await publisher.storeContent('acme', sha256(TEXT), TEXT);
  await publisher.publish(PROD, sampleSnapshot({ installation: theirs() }));
  await close();
}

/** The same, as it was left before streams had descriptions. */
async function leaveUndescribed(message: string): Promise<void> {
  const { snapshotStream, allSnapshots, contentStream, allContents } = subjects();
  await manager.streams.add({ name: snapshotStream, subjects: [allSnapshots] });
  await manager.streams.add({ name: contentStream, subjects: [allContents] });
  if (message === '') return;
  await jetstream(bare).publish(subjects().snapshot(PROD), message);
  await jetstream(bare).publish(subjects().content('acme', sha256(TEXT)), TEXT);
}

/** Settings, messages and first sequence of both streams. */
function stored(): Promise<readonly (readonly [StreamConfig, number, number])[]> {
  return Promise.all(
    STREAMS.map(async (stream) => {
      const { config, state } = await manager.streams.info(subjects()[stream]);
      return [config, state.messages, state.first_seq] as const;
    }),
  );
}

async function descriptions(): Promise<readonly (string | undefined)[]> {
  return (await stored()).map(([{ description }]) => description);
}

async function messages(): Promise<readonly number[]> {
  return (await stored()).map(([, count]) => count);
}

const OURS = () => Array.from(STREAMS, () => `Pawl installation ${ours()}`);

async function expectOurs({ publisher }: Distribution): Promise<void> {
  await publisher.prepare();
  expect(await descriptions()).toEqual(OURS());
  await publisher.storeContent('acme', sha256(TEXT), TEXT);
  await publisher.publish(PROD, sampleSnapshot({ installation: ours() }));
  expect(await publisher.read(PROD)).toMatchObject({ installation: ours() });
  expect(await messages()).toEqual([1, 1]);
}

describe('a stream', () => {
  it('says whose it is, also after its settings were changed', async () => {
    const before = await distribution();
    await before.publisher.prepare();
    expect(await descriptions()).toEqual(OURS());
    // It would hear of the change, and take it back.
    await before.close();
    const limits = { snapshotBytes: 1_000_000, contentBytes: 2_000_000 };
    await (await distribution({ storage: limits })).publisher.prepare();
    expect(await descriptions()).toEqual(OURS());
    expect((await stored()).map(([{ max_bytes }]) => max_bytes)).toEqual([1_000_000, 2_000_000]);
  });

  it.each([
    ['that is empty', () => ''],
    ['with snapshots of ours', () => JSON.stringify(sampleSnapshot({ installation: ours() }))],
    ['with what is no snapshot', () => 'garbage'],
  ])('without a description %s is taken over with what it holds', async (_, message) => {
    await leaveUndescribed(message());
    const before = await messages();
    await (await distribution()).publisher.prepare();
    expect(await descriptions()).toEqual(OURS());
    expect(await messages()).toEqual(before);
  });
});

describe('the streams of another installation', () => {
  const theirSnapshot = () => JSON.stringify(sampleSnapshot({ installation: theirs() }));

  it.each([
    ['by their descriptions', () => leaveTheirs()],
    ['by what they hold', () => leaveUndescribed(theirSnapshot())],
  ])('are refused and left alone, known %s', async (_, leave) => {
    await leave();
    const before = await stored();
    const logger = recordingLogger();
    const made = await distribution({ adoptStreams: `${theirs()}-not`, logger });
    const { publisher } = made;
    await expect(publisher.prepare()).rejects.toThrow(StreamSetupError);
    expect([publisher.healthy(), made.foreign]).toEqual([false, true]);
    expect(made.problem).toContain(`belongs to installation ${theirs()}, this is ${ours()}`);
    expect(made.problem).toContain('PAWL_INSTALLATION');
    expect(made.problem).toMatch(new RegExp(`PAWL_ADOPT_STREAMS=${theirs()}$`));
    const calls = [
      publisher.read(PROD),
      publisher.publish(PROD, sampleSnapshot({ installation: ours(), version: 9 })),
      publisher.remove(PROD, 1n),
      publisher.storeContent('acme', sha256('{}'), '{}'),
      publisher.collectContents('acme', {
        referenced: new Set(),
        olderThanMs: 0,
        isOwner: async () => true,
      }),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ reason: expect.any(DistributionUnavailableError) as unknown });
      expect(String((result as PromiseRejectedResult).reason)).toContain(theirs());
    }
    await expect(publisher.prepare()).rejects.toThrow(StreamSetupError);
    expect(await stored()).toEqual(before);
    expect(logger.lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
  });

  it.each(STREAMS)('are refused when all but the %s is gone, which is not made', async (kept) => {
    await leaveTheirs();
    const [gone] = STREAMS.filter((stream) => stream !== kept);
    await manager.streams.delete(subjects()[gone!]);
    const { publisher } = await distribution();
    await expect(publisher.prepare()).rejects.toThrow(`stream ${subjects()[kept]} belongs to`);
    await expect(manager.streams.info(subjects()[gone!])).rejects.toThrow(/not found/);
  });

  it('are used as soon as they are given up, and that is told', async () => {
    await leaveTheirs();
    const made = await distribution();
    await expect(made.publisher.prepare()).rejects.toThrow(StreamSetupError);
    const restored = signal();
    made.publisher.onRestored(() => restored.fire());
    for (const stream of STREAMS) await manager.streams.delete(subjects()[stream]);
    await restored.promise;
    expect([made.problem, made.foreign]).toEqual([null, false]);
    await expectOurs(made);
  });
});

describe('adopted streams', () => {
  it.each([
    ['with descriptions', () => leaveTheirs()],
    ['without', () => leaveUndescribed(JSON.stringify(sampleSnapshot({ installation: theirs() })))],
  ])('are emptied and ours, %s', async (_, leave) => {
    await leave();
    const logger = recordingLogger();
    const made = await distribution({ adoptStreams: theirs(), logger });
    await made.publisher.prepare();
    expect(await messages()).toEqual([0, 0]);
    expect(logger.lines.filter((line) => line.includes('was emptied'))).toHaveLength(2);
    await expectOurs(made);
    // The setting may stay.
    await (await distribution({ adoptStreams: theirs() })).publisher.prepare();
    expect(await messages()).toEqual([1, 1]);
  });

  it('are those of nobody else', async () => {
    await leaveTheirs();
    await manager.streams.update(subjects().contentStream, {
      description: `Pawl installation ${installation}/third`,
    });
    const before = await stored();
    const { publisher } = await distribution({ adoptStreams: theirs() });
    await expect(publisher.prepare()).rejects.toThrow(`belongs to installation ${installation}/th`);
    expect(await stored()).toEqual(before);
  });

  const LEFT = [
    ['described', () => leaveTheirs()],
    [
      'undescribed',
      () => leaveUndescribed(JSON.stringify(sampleSnapshot({ installation: theirs() }))),
    ],
  ] as const;
  const DEATHS = LEFT.flatMap(([left, leave]) =>
    [0, 1, 2, 3, 4].map((steps) => [left, steps, leave] as const),
  );
  it.each(DEATHS)('(%s) survive a death after %i steps', async (left, steps, leave) => {
    await leave();
    const adopt = () => provideStreams(dyingAfter(steps), optionsOf(theirs()));
    if (steps < 4) await expect(adopt()).rejects.toThrow('killed');
    else await adopt();
    const without = provideStreams(manager, optionsOf(undefined));
    // A stream without a description that was emptied is nobody's.
    const isDone = steps === 4 || (left === 'undescribed' && steps === 3);
    if (isDone) await without;
    else await expect(without).rejects.toThrow(`belongs to installation ${theirs()}`);
    const made = await distribution({ adoptStreams: theirs() });
    await made.publisher.prepare();
    expect(await messages()).toEqual([0, 0]);
    await expectOurs(made);
  });

  it('keep what another node of ours stored since they were looked at', async () => {
    await leaveTheirs();
    const slow = Object.create(manager.streams) as typeof manager.streams;
    slow.purge = async (name, options) => {
      const { publisher } = await distribution({ adoptStreams: theirs() });
      await publisher.publish(PROD, sampleSnapshot({ installation: ours(), version: 5 }));
      return manager.streams.purge(name, options);
    };
    await provideStreams(withStreams(slow), optionsOf(theirs()));
    const { publisher } = await distribution();
    expect(await publisher.read(PROD)).toMatchObject({ installation: ours(), version: 5 });
  });

  it('are taken from a process that still runs, which then does not take them back', async () => {
    const former = await distribution({ installationId: 'theirs', adoptStreams: ours() });
    await former.publisher.prepare();
    await former.publisher.publish(PROD, sampleSnapshot({ installation: theirs(), version: 7 }));
    const made = await distribution({ adoptStreams: theirs() });
    await made.publisher.prepare();
    await expect.poll(() => former.foreign).toBe(true);
    expect(former.problem).toContain(`belongs to installation ${ours()}, this is ${theirs()}`);
    await expectOurs(made);
    const late = former.publisher.publish(
      PROD,
      sampleSnapshot({ installation: theirs(), version: 8 }),
    );
    await expect(late).rejects.toThrow(DistributionUnavailableError);
    expect(await made.publisher.read(PROD)).toMatchObject({ installation: ours() });
    expect(made.foreign).toBe(false);
  });
});

function optionsOf(adopt: string | undefined) {
  const wanted = wantedStreams(subjects(), ours(), {});
  return { wanted, copies: 1, installation: ours(), adopt, existed: () => false, logger: SILENT };
}

function withStreams(streams: JetStreamManager['streams']): JetStreamManager {
  return Object.assign(Object.create(manager) as JetStreamManager, { streams });
}

/** A manager whose process dies once it has changed streams so often. */
function dyingAfter(steps: number): JetStreamManager {
  let left = steps;
  const streams = Object.create(manager.streams) as JetStreamManager['streams'];
  const step = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if ((left -= 1) < 0) throw new Error('killed');
      return work.apply(manager.streams, args);
    };
  };
  streams.purge = step(manager.streams.purge.bind(manager.streams));
  streams.update = step(manager.streams.update.bind(manager.streams));
  streams.add = step(manager.streams.add.bind(manager.streams));
  return withStreams(streams);
}
