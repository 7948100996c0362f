import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { DiscardPolicy, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { address, CONTENT_ENCODING_HEADER, LIMITS, subjectsOf } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { DistributionUnavailableError } from '@pawl/engine';
import { connectDistribution } from '../connect-distribution.js';
import type { Distribution, DistributionOptions } from '../connect-distribution.js';
import { NatsTestServer } from '../testing/nats-test-server.js';
import { recordingLogger, signal } from '../testing/recording.js';
import { sampleSnapshot } from '../testing/sample-snapshot.js';
import type { SampleSnapshot } from '../testing/sample-snapshot.js';
import { decodeContent } from './content-codec.js';
import { StreamSetupError } from './stream-setup-error.js';

const PROD = address('acme/prod');
const DAY_MS = 24 * 60 * 60 * 1000;

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
  installation = `spec-${(installations += 1)}`;
});
afterEach(async () => {
  for (const distribution of open.splice(0)) await distribution.close();
});

async function distribution(options: Partial<DistributionOptions> = {}): Promise<Distribution> {
  const made = await connectDistribution({
    servers: server.url,
    installation,
    installationId: 'one',
    ...options,
  });
  open.push(made);
  return made;
}

async function prepared(options: Partial<DistributionOptions> = {}) {
  const made = await distribution(options);
  await made.publisher.prepare();
  return made.publisher;
}

/** A snapshot of our own, unless the options say otherwise. */
const sample = (options: SampleSnapshot = {}) =>
  sampleSnapshot({ installation: `${installation}/one`, ...options });

const subjects = () => subjectsOf(installation);

function storedContent(hash: string) {
  const last_by_subj = subjects().content('acme', hash);
  return manager.direct.getMessage(subjects().contentStream, { last_by_subj });
}

async function readContent(hash: string): Promise<string | undefined> {
  const message = await storedContent(hash);
  const encoding = message?.header.get(CONTENT_ENCODING_HEADER) ?? '';
  return message === null ? undefined : decodeContent({ bytes: message.data, encoding });
}

describe('contents on JetStream', () => {
  it('are stored again when somebody purged the stream', async () => {
    const publisher = await prepared();
    const text = JSON.stringify({ text: 'x'.repeat(20_000) });
    for (let round = 0; round < 2; round += 1) {
      await publisher.storeContent('acme', sha256(text), text);
      await publisher.storeContent('acme', sha256(text), text);
      expect(await readContent(sha256(text))).toBe(text);
      const { state } = await manager.streams.info(subjects().contentStream);
      expect(state.messages).toBe(1);
      await manager.streams.purge(subjects().contentStream);
    }
  });

  it('are compressed when they are large, and sent as they are when small', async () => {
    const publisher = await prepared();
    const [small, regular] = ['{"a":1}', JSON.stringify({ text: 'abc ü '.repeat(9_000) })];
    for (const text of [small, regular]) {
      await publisher.storeContent('acme', sha256(text), text);
      expect(await readContent(sha256(text))).toBe(text);
    }
    expect((await storedContent(sha256(small)))?.data).toHaveLength(small.length);
    const compressed = await storedContent(sha256(regular));
    expect(compressed?.header.get(CONTENT_ENCODING_HEADER)).toBe('br');
    expect(compressed?.data.length).toBeLessThan(regular.length / 10);
  });

  it('of the largest size that hardly compress fit the server’s limit', async () => {
    const publisher = await prepared();
    let text = '';
    // Every printable ASCII character is equally likely: 6.6 bits of 8 are information.
    for (const byte of randomBytes(LIMITS.effectiveBytes)) {
      text += String.fromCharCode(33 + (byte % 94));
    }
    await publisher.storeContent('acme', sha256(text), text);
    expect(await readContent(sha256(text))).toBe(text);
  });

  it('that were deleted behind our back are stored again by a new process', async () => {
    const text = '{"deleted":true}';
    await (await prepared()).storeContent('acme', sha256(text), text);
    const message = await storedContent(sha256(text));
    await manager.streams.deleteMessage(subjects().contentStream, message!.seq);
    await (await prepared()).storeContent('acme', sha256(text), text);
    expect(await readContent(sha256(text))).toBe(text);
  });

  it('are replaced when what is stored under their hash is something else', async () => {
    const publisher = await prepared();
    const text = '{"right":true}';
    await jetstream(bare).publish(subjects().content('acme', sha256(text)), 'garbage');
    await publisher.storeContent('acme', sha256(text), text);
    expect(await readContent(sha256(text))).toBe(text);
  });

  it('that are old, but were asked for just now, are not collected', async () => {
    const clock = { wallMs: () => Date.now() + 2 * DAY_MS, monotonicMs: () => 0 };
    const publisher = await prepared({ clock });
    const [wanted, unwanted] = ['{"wanted":true}', '{"wanted":false}'];
    for (const text of [wanted, unwanted]) {
      await jetstream(bare).publish(subjects().content('acme', sha256(text)), text);
    }
    await publisher.storeContent('acme', sha256(wanted), wanted);
    expect(
      await publisher.collectContents('acme', {
        referenced: new Set(),
        olderThanMs: DAY_MS,
        isOwner: async () => true,
      }),
    ).toBe(1);
    expect(await readContent(sha256(wanted))).toBe(wanted);
    expect(await readContent(sha256(unwanted))).toBeUndefined();
  });

  it('that the next owner names outlive a former one that was paused before it deleted them', async () => {
    const clock = { wallMs: () => Date.now() + DAY_MS + 1_000, monotonicMs: () => 0 };
    const [former, next] = [await prepared({ clock }), await prepared({ clock })];
    const snapshot = sample({ content: '{"named":"again"}' });
    const { hash } = snapshot.variants['']!;
    await jetstream(bare).publish(subjects().content('acme', hash), '{"named":"again"}');
    const isOwner = async () => {
      await next.storeContent('acme', hash, '{"named":"again"}');
      await next.publish(PROD, snapshot);
      // As of before the shard was taken over.
      return true;
    };
    const collection = { referenced: new Set<string>(), olderThanMs: DAY_MS, isOwner };
    expect(await former.collectContents('acme', collection)).toBe(0);
    expect(await readContent(hash)).toBe('{"named":"again"}');
  });

  it('beyond the limit are refused, and nothing is evicted', async () => {
    const publisher = await prepared({ storage: { contentBytes: 3_000 } });
    const texts = Array.from({ length: 6 }, (_, n) => `${n}${'z'.repeat(900)}`);
    const results = await Promise.allSettled(
      texts.map((text) => publisher.storeContent('acme', sha256(text), text)),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(DistributionUnavailableError);
    for (const [index, text] of texts.entries()) {
      const expected = results[index]?.status === 'fulfilled' ? text : undefined;
      expect(await readContent(sha256(text))).toBe(expected);
    }
  });
});

describe('snapshots on JetStream', () => {
  it('are one message per address however often it changes', async () => {
    const publisher = await prepared();
    for (let version = 1; version <= 5; version += 1) {
      await publisher.publish(PROD, sample({ version }));
    }
    const info = await manager.streams.info(subjects().snapshotStream);
    expect(info.state.messages).toBe(1);
  });

  it.each([
    ['bytes that are no JSON', () => new Uint8Array([0xff, 0x00])],
    ['JSON that is no snapshot', () => '{"format":1}'],
    ['the snapshot of another address', () => sample({ at: 'acme', version: 9 })],
    [
      'the snapshot of another installation',
      () => sample({ installation: 'main/two', version: 9 }),
    ],
  ])('take the place of %s', async (_, garbage) => {
    const logger = recordingLogger();
    const publisher = await prepared({ logger });
    const bytes = garbage();
    const isPayload = typeof bytes === 'string' || bytes instanceof Uint8Array;
    await jetstream(bare).publish(
      subjects().snapshot(PROD),
      isPayload ? bytes : JSON.stringify(bytes),
    );
    expect(await publisher.publish(PROD, sample())).toEqual({ kind: 'stored' });
    expect(await publisher.read(PROD)).toEqual(sample());
    expect(logger.lines.join('\n')).toContain('it will be overwritten');
  });

  it('are not overwritten by knowledge of a stream that was deleted and made anew', async () => {
    const [former, present] = [await prepared(), await prepared()];
    await former.publish(PROD, sample({ version: 1 }));
    await manager.streams.delete(subjects().snapshotStream);
    await present.prepare();
    const newer = sample({ version: 5 });
    expect(await present.publish(PROD, newer)).toEqual({ kind: 'stored' });
    const info = await manager.streams.info(subjects().snapshotStream);
    expect(info.state.last_seq).toBe(1);
    const outcome = await former.publish(PROD, sample({ version: 2 }));
    expect(outcome).toEqual({ kind: 'conflict', held: newer });
  });
});

describe('the streams', () => {
  it('are made anew when they are deleted, and that is told', async () => {
    const publisher = await prepared();
    await publisher.publish(PROD, sample());
    const text = '{"gone":true}';
    await publisher.storeContent('acme', sha256(text), text);
    const restored = signal();
    publisher.onRestored(() => restored.fire());
    await manager.streams.delete(subjects().snapshotStream);
    await manager.streams.delete(subjects().contentStream);
    await restored.promise;
    await publisher.prepare();
    expect(await publisher.read(PROD)).toBeUndefined();
    await publisher.storeContent('acme', sha256(text), text);
    expect(await readContent(sha256(text))).toBe(text);
    expect(await publisher.publish(PROD, sample())).toEqual({ kind: 'stored' });
  });

  it('are made anew whole although the server takes its time to delete much', async () => {
    const publisher = await prepared();
    const client = jetstream(bare);
    const payload = 'x'.repeat(2_000);
    for (let batch = 0; batch < 20; batch += 1) {
      const ids = Array.from({ length: 100 }, (_, n) => batch * 100 + n);
      await Promise.all(
        ids.map((n) => client.publish(subjects().content('acme', `${n}`), payload)),
      );
    }
    const restored = signal();
    publisher.onRestored(() => restored.fire());
    const deleting = manager.streams.delete(subjects().contentStream);
    await restored.promise;
    await deleting;
    const text = '{"whole":true}';
    await publisher.storeContent('acme', sha256(text), text);
    expect(await readContent(sha256(text))).toBe(text);
  });

  it('are made anew by the call that finds them missing', async () => {
    const publisher = await prepared({ requestTimeoutMs: 500 });
    const text = '{"gone":true}';
    await manager.streams.delete(subjects().contentStream);
    await manager.streams.delete(subjects().snapshotStream);
    const publishing = publisher.publish(PROD, sample());
    await publisher.storeContent('acme', sha256(text), text);
    expect(await publishing).toEqual({ kind: 'stored' });
    expect(await readContent(sha256(text))).toBe(text);
    expect(await publisher.read(PROD)).toEqual(sample());
  });

  it('with other settings are set right', async () => {
    const { snapshotStream, allSnapshots } = subjects();
    await manager.streams.add({
      name: snapshotStream,
      subjects: [allSnapshots],
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 5,
      max_bytes: 10_000,
    });
    const publisher = await prepared();
    const { config } = await manager.streams.info(snapshotStream);
    expect(config).toMatchObject({
      discard: 'new',
      max_msgs_per_subject: 1,
      max_bytes: -1,
      max_age: 0,
      allow_direct: true,
      storage: 'file',
    });
    expect(publisher.healthy()).toBe(true);
  });

  it('with settings that cannot be changed are a clear error', async () => {
    const { snapshotStream, allSnapshots } = subjects();
    await manager.streams.add({
      name: snapshotStream,
      subjects: [allSnapshots],
      storage: StorageType.Memory,
    });
    const { publisher } = await distribution();
    await expect(publisher.prepare()).rejects.toThrow(StreamSetupError);
    await expect(publisher.prepare()).rejects.toThrow(snapshotStream);
    expect(publisher.healthy()).toBe(false);
  });

  it('need a server with JetStream', async () => {
    const plain = await NatsTestServer.started([]);
    try {
      const { publisher } = await distribution({ servers: plain.url });
      await expect(publisher.prepare()).rejects.toThrow(/without JetStream/);
      await expect(publisher.read(PROD)).rejects.toThrow(DistributionUnavailableError);
    } finally {
      await plain.dispose();
    }
  });
});
