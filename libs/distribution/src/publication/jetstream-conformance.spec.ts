import { afterAll, beforeAll } from 'vitest';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { address, CONTENT_ENCODING_HEADER, subjectsOf } from '@pawl/contracts';
import type { Prepare, Push } from '@pawl/contracts';
import { connectDistribution } from '../connect-distribution.js';
import { signal } from '../testing/recording.js';
import { NatsTestServer } from '../testing/nats-test-server.js';
import { describeSnapshotPublisher } from '../testing/snapshot-publisher.conformance.js';
import type { PublisherSubject } from '../testing/snapshot-publisher.conformance.js';
import { decodeContent } from './content-codec.js';

let server: NatsTestServer;
let bare: NatsConnection;
let installations = 0;

beforeAll(async () => {
  server = await NatsTestServer.started();
  bare = await connect({ servers: server.url });
});
afterAll(async () => {
  await bare.close();
  await server.dispose();
});

async function makeSubject(): Promise<PublisherSubject> {
  const installation = `conformance-${(installations += 1)}`;
  const subjects = subjectsOf(installation);
  const open = () =>
    connectDistribution({ servers: server.url, installation, installationId: 'one' });
  const [one, two] = [await open(), await open()];
  await one.publisher.prepare();
  await two.publisher.prepare();
  const manager = await jetstreamManager(bare);
  return {
    publisher: one.publisher,
    installation: `${installation}/one`,
    other: two.publisher,
    readContent: async (root, hash) => {
      const last_by_subj = subjects.content(root, hash);
      const message = await manager.direct.getMessage(subjects.contentStream, { last_by_subj });
      if (message === null) return undefined;
      const encoding = message.header.get(CONTENT_ENCODING_HEADER);
      return decodeContent({ bytes: message.data, encoding });
    },
    nextPush: async (at) => {
      const { promise, fire } = signal<Push>();
      const subject = subjects.push(address(at));
      bare.subscribe(subject, { max: 1, callback: (_, message) => fire(message.json()) });
      await bare.flush();
      return { push: promise };
    },
    nextPrepare: async (at) => {
      const { promise, fire } = signal<Prepare>();
      const subject = subjects.prepare(address(at));
      bare.subscribe(subject, { max: 1, callback: (_, message) => fire(message.json()) });
      await bare.flush();
      return { prepare: promise };
    },
    close: async () => {
      await one.close();
      await two.close();
    },
  };
}

describeSnapshotPublisher('JetStreamSnapshotPublisher', makeSubject);
