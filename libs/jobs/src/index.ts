export { CLOSE_GRACE_MS } from './job-queue.js';
export type { JobObserver } from './job-queue.js';
export { startLookJobs } from './look-jobs.js';
export type { LookJobs, LookJobsOptions } from './look-jobs.js';
export type { QueueServer } from './queue-backend.js';
export { startSweepJobs, SWEEP_KINDS } from './sweep-jobs.js';
export type { SweepJobs, SweepJobsOptions, SweepObserver, Sweeper } from './sweep-jobs.js';
export { createWebhookSender } from './webhook-sender.js';
export type { WebhookEndpoint } from './webhook-sender.js';
