import type { Prepare, Push } from '@pawl/contracts';
import { FakeSnapshotPublisher } from '@pawl/engine/testing';
import { ManualTime } from '@pawl/kernel';
import { describeSnapshotPublisher } from '../testing/snapshot-publisher.conformance.js';

describeSnapshotPublisher('the fake of the engine’s tests', async () => {
  const publisher = new FakeSnapshotPublisher(new ManualTime(1_000));
  return {
    publisher,
    installation: 'main/one',
    other: publisher,
    readContent: async (root, hash) => publisher.contents.get(`${root}/${hash}`),
    nextPush: async () => ({
      push: new Promise<Push>((resolve) => (publisher.onPush = resolve)),
    }),
    nextPrepare: async () => ({
      prepare: new Promise<Prepare>((resolve) => (publisher.onPrepare = resolve)),
    }),
    close: () => Promise.resolve(),
  };
});
