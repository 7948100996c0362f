import { status } from '@grpc/grpc-js';
import type { Timer } from '@pawl/kernel';
import type { CoordinationNode, WatchHandle, WatchSink } from '../coordination.port.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { WatchRequest } from '../metadata-store.port.js';
import type { Revision } from '../state/index.js';
import { StatusError, refused } from './status-error.js';

const PASSING = new Set([status.UNAVAILABLE, status.RESOURCE_EXHAUSTED]);

/** Between two tries of what a quorum without a leader did not do. */
export const RETRY_MS = 500;
/** Of a read: longer than an election takes, shorter than that of a client. */
const PATIENCE_MS = 30_000;

/** Whether what failed may be done later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof MetadataUnavailableError) return true;
  return error instanceof StatusError && PASSING.has(error.code);
}

/** Resolves after so many milliseconds; rejects with the signal's reason when that is aborted. */
export async function pause(timer: Timer, ms: number, signal: AbortSignal): Promise<void> {
  await abortable(signal, (resolve) => {
    const handle = timer.after(ms, resolve);
    return () => handle.cancel();
  });
}

/**
 * Reads through the quorum, over again while nobody leads; a wait must not end because the leader
 * does. Rejects with the signal's reason when that is aborted, and as the read after half a minute.
 */
export async function readPatiently<Result>(
  timer: Timer,
  signal: AbortSignal,
  read: () => Promise<Result>,
): Promise<Result> {
  let late = false;
  const patience = timer.after(PATIENCE_MS, () => (late = true));
  try {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await read();
      } catch (error) {
        if (!isPassing(error) || late) throw error;
      }
      await pause(timer, RETRY_MS, signal);
    }
  } finally {
    patience.cancel();
  }
}

/**
 * Resolves when one of these keys was deleted at this revision or after, or when that can no longer
 * be told. Rejects with the signal's reason when that is aborted.
 */
export async function untilDeleted(
  node: CoordinationNode,
  keys: readonly Uint8Array[],
  from: Revision,
  signal: AbortSignal,
): Promise<void> {
  await abortable(signal, (resolve, reject) => {
    const sink: WatchSink = {
      events: ({ events }) => {
        if (events.some(({ kind }) => kind === 'delete')) resolve();
        return true;
      },
      compacted: () => resolve(),
      failed: reject,
    };
    const handles: WatchHandle[] = [];
    const close = (): void => {
      for (const handle of handles) handle.close();
    };
    try {
      for (const key of keys) handles.push(observe(node, { key, fromRevision: from }, sink));
    } catch (error) {
      close();
      throw error;
    }
    return close;
  });
}

/** Throws what is answered when there are too many watches. */
export function observe(node: CoordinationNode, range: WatchRequest, sink: WatchSink): WatchHandle {
  try {
    return node.observe(range, sink);
  } catch (error) {
    if (error instanceof MetadataUnavailableError) throw refused('too-many-requests');
    throw error;
  }
}

/** A promise of what `begin` begins, until the signal is aborted; `begin` returns what ends it. */
export async function abortable(
  signal: AbortSignal,
  begin: (resolve: () => void, reject: (error: Error) => void) => () => void,
): Promise<void> {
  signal.throwIfAborted();
  let end = (): void => undefined;
  let abort = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      abort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', abort);
      end = begin(resolve, reject);
    });
  } finally {
    signal.removeEventListener('abort', abort);
    end();
  }
}
