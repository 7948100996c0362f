import { COMMIT_FAULTS, rollbackHalfDone } from './commit-faults.js';
import { CONSUMER_FAULTS } from './consumer-faults.js';
import type { NodesFault } from './fault.js';
import {
  cutFromNats,
  cutFromPostgres,
  cutFromQuorum,
  majorityKilled,
  noMajority,
} from './network-faults.js';
import {
  killAll,
  killOwner,
  pauseOwner,
  quorumLeader,
  rollingRestart,
  starveOwner,
  twoTakeovers,
} from './process-faults.js';
import { restoreCopy } from './restore-fault.js';
import { SERVICE_FAULTS } from './service-faults.js';

/** Every harm, in the order of a run. */
export const FAULTS: readonly NodesFault[] = [
  killOwner,
  pauseOwner,
  starveOwner,
  ...COMMIT_FAULTS,
  twoTakeovers,
  rollbackHalfDone,
  cutFromQuorum,
  cutFromPostgres,
  cutFromNats,
  quorumLeader,
  noMajority,
  majorityKilled,
  killAll,
  rollingRestart,
  ...SERVICE_FAULTS,
  ...CONSUMER_FAULTS,
  restoreCopy,
];
