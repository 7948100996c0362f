export {
  decodeConfiguration,
  encodeConfiguration,
  foundedBy,
  isJoint,
  isOnlyVoter,
  isVoter,
  members,
} from './configuration.js';
export type { Configuration, ConfigurationChange } from './configuration.js';
export { foundingState } from './durable-state.js';
export type { DurableState } from './durable-state.js';
export { isAnswer } from './is-answer.js';
export { RaftCore } from './raft-core.js';
export type { CoreStatus } from './raft-core.js';
export type { RaftConfig } from './raft-config.js';
export type { FlowLimits } from './progress.js';
export type * from './types.js';
