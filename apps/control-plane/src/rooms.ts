import { connectDistribution } from '@pawl/distribution';
import { startSweepJobs } from '@pawl/jobs';
import { installationText } from '@pawl/engine';
import { createShardOwnership, openMetadata, recordInstallation } from '@pawl/metadata';
import { openTruth } from '@pawl/persistence';
import type { Logger, Settings } from '@pawl/platform';
import { createSchemaValidator } from '@pawl/validation';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { OpenedMetadata, Rooms } from './composition.js';
import { engineLog } from './runtime/engine-log.js';
import { machineClock, machineTimer } from './runtime/machine.js';

/** PostgreSQL, NATS, the metadata store on disk, and worker threads. */
export const ROOMS: Rooms = {
  openMetadata: openEmbeddedMetadata,
  openTruth,
  connectDistribution,
  createSchemaValidator: () => createSchemaValidator(),
  startSweepJobs,
};

async function openEmbeddedMetadata(settings: Settings, logger: Logger): Promise<OpenedMetadata> {
  const { nodeId, leaseTtlMs } = settings;
  let failed: Error | undefined;
  const store = await openMetadata({
    dataDir: join(settings.dataDir, 'metadata'),
    nodeId,
    clock: machineClock,
    timer: machineTimer,
    onFailure: (error) => {
      failed = error;
      logger.error({ err: error }, 'the metadata store has failed: this node stops');
      // Nobody waits for this: it reaches the process as uncaught, which stops in order with code 1.
      setImmediate(() => {
        throw error;
      });
    },
  });
  for (const note of store.notes) logger.warn(note);
  return {
    ownership: async (installation) => {
      await recordInstallation(store, installationText(installation));
      return createShardOwnership({
        store,
        nodeId,
        incarnation: randomUUID(),
        folder: store.folderId,
        shards: installation.shards,
        leaseTtlMs,
        clock: machineClock,
        timer: machineTimer,
        log: engineLog(logger),
      });
    },
    healthy: async () => failed === undefined && (await store.status()).leader !== null,
    close: () => store.close(),
  };
}
