import { assert } from '@pawl/kernel';
import type { WatchHandle, WatchSink } from '../coordination.port.js';
import { WatchCompactedError } from '../metadata-store.port.js';
import type { MetadataWatch } from '../metadata-store.port.js';
import type { Revision, RevisionEvents } from '../state/index.js';

interface Reader {
  readonly resolve: (result: IteratorResult<RevisionEvents>) => void;
  readonly reject: (error: Error) => void;
}

const END: IteratorResult<RevisionEvents> = { done: true, value: undefined };

/** A watch that is pulled from: its sink takes one revision for each time somebody asks. */
export class IteratedWatch implements MetadataWatch, AsyncIterator<RevisionEvents>, WatchSink {
  readonly #handle: WatchHandle;
  #reader: Reader | null = null;
  #end: 'closed' | Error | null = null;

  constructor(observe: (sink: WatchSink) => WatchHandle) {
    this.#handle = observe(this);
  }

  [Symbol.asyncIterator](): AsyncIterator<RevisionEvents> {
    return this;
  }

  next(): Promise<IteratorResult<RevisionEvents>> {
    assert(this.#reader === null, 'a watch has one reader at a time');
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      if (this.#end === null) this.#handle.resume();
      else this.#answerEnd(this.#end);
    });
  }

  return(): Promise<IteratorResult<RevisionEvents>> {
    this.close();
    return Promise.resolve(END);
  }

  close(): void {
    this.#handle.close();
    this.#finish('closed');
  }

  events(changes: RevisionEvents): boolean {
    const reader = this.#reader;
    if (reader === null) return false;
    this.#reader = null;
    reader.resolve({ done: false, value: changes });
    return true;
  }

  compacted(compactRevision: Revision): void {
    this.#finish(new WatchCompactedError(compactRevision));
  }

  failed(error: Error): void {
    this.#finish(error);
  }

  #finish(end: 'closed' | Error): void {
    this.#end ??= end;
    this.#answerEnd(this.#end);
  }

  #answerEnd(end: 'closed' | Error): void {
    const reader = this.#reader;
    this.#reader = null;
    if (end === 'closed') reader?.resolve(END);
    else reader?.reject(end);
  }
}
