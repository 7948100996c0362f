export { assert, InvariantError, unreachable } from './assert.js';
export { BoundedQueue } from './bounded-queue.js';
export type { Brand } from './brand.js';
export { ManualTime } from './clock.js';
export type { Clock, Scheduler, Timer, TimerHandle } from './clock.js';
export { LockQueueFullError, ReadWriteLock } from './read-write-lock.js';
export { seededRng } from './rng.js';
export type { Rng } from './rng.js';
export { settledWithin } from './settled-within.js';
