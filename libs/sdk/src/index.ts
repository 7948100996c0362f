export { connect } from './connect.js';
export { PawlError } from './errors.js';
export type { PawlErrorCode } from './errors.js';
export type { ConnectOptions, CrashLoopOptions, NatsCredentials } from './options.js';
export type {
  AbsentEvent,
  AppliedEvent,
  DeepReadonly,
  HealthReport,
  OpenOptions,
  Pawl,
  RejectedEvent,
  Scope,
  ScopeEvents,
  ScopeHealth,
  StaleEvent,
  Unsubscribe,
  Validate,
} from './types.js';
