export {
  assertQueueAvailable,
  CLOSE_GRACE_MS,
  QueueUnavailableError,
  startSweepJobs,
  SWEEP_KINDS,
} from './sweep-jobs.js';
export type { SweepJobs, SweepJobsOptions, SweepObserver, Sweeper } from './sweep-jobs.js';
