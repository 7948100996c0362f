import { connectDistribution } from '@pawl/distribution';
import { startLookJobs, startSweepJobs } from '@pawl/jobs';
import { createSchemaValidator } from '@pawl/validation';
import { openTruth } from '@pawl/persistence';
import type { Rooms } from './composition.js';
import { openMetadata } from './metadata/open-metadata.js';

/** PostgreSQL, NATS, the metadata quorum, and worker threads. */
export const ROOMS: Rooms = {
  openMetadata,
  openTruth,
  connectDistribution,
  createSchemaValidator: () => createSchemaValidator(),
  startSweepJobs,
  startLookJobs,
};
