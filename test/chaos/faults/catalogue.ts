import type { Fault } from './fault.js';
import { MEMBERSHIP_FAULTS } from './membership-faults.js';
import { NETWORK_FAULTS } from './network-faults.js';
import {
  anybody,
  follower,
  kill,
  killAll,
  killLoop,
  leader,
  pause,
  starve,
  transfer,
} from './process-faults.js';

/** Every harm that one cluster can be done by itself, without rights of any kind. */
export const FAULTS: readonly Fault[] = [
  kill('kill the leader', leader),
  kill('kill a follower', follower),
  kill('kill anybody', anybody),
  killAll,
  killLoop,
  pause('pause the leader', leader),
  pause('pause a follower', follower),
  starve,
  transfer,
  ...NETWORK_FAULTS,
  ...MEMBERSHIP_FAULTS,
];
