export { InstallationMismatchError, UnstorableTextError } from './errors.js';
export { openTruth } from './open-truth.js';
export type { OpenedTruth, OpenTruthOptions } from './open-truth.js';
