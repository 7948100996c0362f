export { AdminClient } from './admin-client.js';
export type {
  AdminClientOptions,
  ChangesOptions,
  DiffOptions,
  EffectiveOptions,
  Expect,
  JsonBody,
  PageOptions,
  WriteOptions,
} from './admin-client.js';
export { ProblemError, UnreachableError } from './problem-error.js';
export { hasCredentials, shownUrl } from './shown-url.js';
