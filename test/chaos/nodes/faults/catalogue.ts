import { CLOCK_FAULTS } from './clock-faults.js';
import { COMMIT_FAULTS, rollbackHalfDone } from './commit-faults.js';
import { CONSUMER_FAULTS } from './consumer-faults.js';
import { deadlocks } from './deadlock-fault.js';
import type { NodesFault } from './fault.js';
import {
  cutFromNats,
  cutFromPostgres,
  cutFromQuorum,
  majorityKilled,
  noMajority,
} from './network-faults.js';
import { PEER_FAULTS } from './peer-faults.js';
import { pooledSessions } from './pooler-fault.js';
import {
  killAll,
  killOwner,
  pauseOwner,
  quorumLeader,
  rollingRestart,
  starveOwner,
  twoTakeovers,
} from './process-faults.js';
import { failOver, restoreCopy } from './restore-fault.js';
import { SERVICE_FAULTS } from './service-faults.js';
import { STANDSTILL_FAULTS } from './standstill-faults.js';

/** Every harm, in the order of a run. */
export const FAULTS: readonly NodesFault[] = [
  killOwner,
  pauseOwner,
  starveOwner,
  ...COMMIT_FAULTS,
  ...STANDSTILL_FAULTS,
  twoTakeovers,
  rollbackHalfDone,
  deadlocks,
  cutFromQuorum,
  cutFromPostgres,
  cutFromNats,
  pooledSessions,
  ...PEER_FAULTS,
  quorumLeader,
  noMajority,
  majorityKilled,
  killAll,
  rollingRestart,
  ...SERVICE_FAULTS,
  ...CONSUMER_FAULTS,
  ...CLOCK_FAULTS,
  restoreCopy,
  failOver,
];
