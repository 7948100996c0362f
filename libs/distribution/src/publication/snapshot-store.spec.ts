import { expect, it } from 'vitest';
import { address, subjectsOf } from '@pawl/contracts';
import { SILENT } from '../connection/logger.js';
import { sampleSnapshot } from '../testing/sample-snapshot.js';
import type { JetStreamAccess } from './jetstream-access.js';
import { SnapshotStore } from './snapshot-store.js';
import type { StreamKeeper } from './stream-keeper.js';
import { StreamSetupError } from './stream-setup-error.js';

const PROD = address('acme/prod');

/** A store over a subject that holds another installation's snapshot. */
function storeOverForeign(ensure: () => Promise<void>) {
  const stored: string[] = [];
  const foreign = sampleSnapshot({ installation: 'main/two', version: 9 });
  const access = {
    newest: async () => ({ sequence: 4, data: Buffer.from(JSON.stringify(foreign)) }),
    store: async (subject: string) => stored.push(subject) > 0,
  } as unknown as JetStreamAccess;
  const keeper = {
    run: (_: string, work: () => Promise<unknown>) => work(),
    ensure,
  } as unknown as StreamKeeper;
  const subjects = subjectsOf('main');
  const store = new SnapshotStore({
    access,
    keeper,
    subjects,
    installation: 'main/one',
    logger: SILENT,
  });
  const snapshot = sampleSnapshot({ installation: 'main/one' });
  return { stored, publish: () => store.publish(PROD, snapshot, JSON.stringify(snapshot)) };
}

it('overwrites a foreign snapshot in a stream that is ours', async () => {
  const { stored, publish } = storeOverForeign(async () => undefined);
  expect(await publish()).toEqual({ kind: 'stored' });
  expect(stored).toHaveLength(1);
});

it('leaves a foreign snapshot where it is when the stream was taken from us', async () => {
  const { stored, publish } = storeOverForeign(() => Promise.reject(new StreamSetupError('taken')));
  await expect(publish()).rejects.toThrow('taken');
  expect(stored).toEqual([]);
});

it('removes what it saw, not what is stored after that', async () => {
  const purged: unknown[] = [];
  let held: { sequence: number; data: Buffer } | undefined = { sequence: 4, data: Buffer.from('') };
  const access = {
    newest: async () => held,
    purgeSubject: async (...purge: unknown[]) => purged.push(purge),
  } as unknown as JetStreamAccess;
  const keeper = {
    run: (_: string, work: () => Promise<unknown>) => work(),
  } as unknown as StreamKeeper;
  const subjects = subjectsOf('main');
  const options = { access, keeper, subjects, installation: 'main/one', logger: SILENT };
  const store = new SnapshotStore(options);
  await store.remove(PROD, 1n);
  expect(purged).toEqual([[subjects.snapshotStream, subjects.snapshot(PROD), 4]]);
  held = undefined;
  await store.remove(PROD, 1n);
  expect(purged).toHaveLength(1);
});
