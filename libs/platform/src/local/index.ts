/**
 * What a command needs of the machine that it runs on: where nodes are, and which settings there
 * are. It loads none of what servers need, so that commands answer at once.
 */
export { listEndpoints, writerOf } from '../runtime/endpoints-file.js';
export { findStarting } from '../runtime/find-starting.js';
export { knownInstallation } from '../runtime/installation-file.js';
export { describeQuorumSettings, describeSettings } from '../settings/setting-table.js';
