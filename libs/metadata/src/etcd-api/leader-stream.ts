import type { ServerWritableStream } from '@grpc/grpc-js';
import { WatchCompactedError } from '../metadata-store.port.js';
import type * as concurrency from '../etcd-protocol/concurrency-messages.js';
import type * as rpc from '../etcd-protocol/messages.js';
import type { KeyRange, KeyValue, Revision, RevisionEvents } from '../state/index.js';
import { IteratedWatch } from '../watch/iterated-watch.js';
import { leaderSize } from './answer-size.js';
import type { ApiContext } from './api-context.js';
import { below } from './contest.js';
import type { Contest } from './contest.js';
import { toKeyValue } from './kv-response.js';
import { refused } from './status-error.js';
import type { ApiStream } from './stream-gate.js';
import type { Waiting } from './wait-gate.js';
import { abortable, observe, readPatiently } from './waits.js';

type Call = ServerWritableStream<
  concurrency.LeaderRequest,
  rpc.Written<concurrency.LeaderResponse>
>;

/** At a revision. */
interface Leader {
  readonly revision: Revision;
  readonly kv: KeyValue;
}

/** Bounds what observers that do not read have outstanding together. */
export class ToldBytes {
  #bytes = 0;

  constructor(private readonly most: number) {}

  /** Counts so many until it is called what this returns; throws where there would be too many. */
  hold(bytes: number): () => void {
    if (this.#bytes + bytes > this.most) throw refused('too-many-requests');
    this.#bytes += bytes;
    let held = true;
    return () => {
      if (held) this.#bytes -= bytes;
      held = false;
    };
  }
}

export interface LeaderStreamParts {
  readonly context: ApiContext;
  readonly contest: Contest;
  readonly call: Call;
  /** Ended by the stream. */
  readonly waiting: Waiting;
  readonly told: ToldBytes;
}

/**
 * Tells one client of the leaders of an election and of what they proclaim, in order. One message is
 * outstanding at a time: a client that reads slowly is told of what is still in the history then.
 */
export class LeaderStream implements ApiStream {
  #last: KeyValue | null = null;
  #ended = false;

  constructor(private readonly parts: LeaderStreamParts) {
    this.#run()
      .catch((error: unknown) => this.fail(error as Error))
      .finally(() => this.parts.waiting.end());
  }

  closed(): void {
    this.#ended = true;
    this.parts.waiting.abort(refused('stopped'));
  }

  fail(error: Error): void {
    if (this.#ended) return;
    this.closed();
    this.parts.call.emit('error', this.parts.context.toStatus(error));
  }

  async #run(): Promise<void> {
    for (;;) {
      try {
        await this.#observeOne();
      } catch (error) {
        /* What comes next is forgotten: it goes on from what is. */
        if (!(error instanceof WatchCompactedError)) throw error;
      }
    }
  }

  /** From the election of a leader, or from the one that is, until it leads no more. */
  async #observeOne(): Promise<void> {
    const { revision, kv } = await this.#leader();
    await this.#tell(revision, kv);
    for await (const { revision: at, events } of this.#changes({ key: kv.key }, revision + 1)) {
      for (const event of events) {
        if (event.kind === 'delete') return;
        await this.#tell(at, event.kv);
      }
    }
  }

  /** Who leads, or is the first to lead. */
  async #leader(): Promise<Leader> {
    const { name } = this.parts.call.request;
    const read = () => this.parts.contest.first(name);
    const { revision, kv } = await readPatiently(
      this.parts.context.timer,
      this.parts.waiting.signal,
      read,
    );
    return kv === undefined ? this.#firstPut(below(name), revision + 1) : { revision, kv };
  }

  async #firstPut(keys: KeyRange, from: Revision): Promise<Leader> {
    for await (const { revision, events } of this.#changes(keys, from)) {
      const put = events.find(({ kind }) => kind === 'put');
      if (put !== undefined) return { revision, kv: put.kv };
    }
    throw new Error('a watch ended without a reason');
  }

  /** Throws the signal's reason once that is aborted. */
  async *#changes(keys: KeyRange, from: Revision): AsyncGenerator<RevisionEvents, void> {
    const { signal } = this.parts.waiting;
    signal.throwIfAborted();
    const watch = new IteratedWatch((sink) =>
      observe(this.parts.context.node, { ...keys, fromRevision: from }, sink),
    );
    const close = (): void => watch.close();
    signal.addEventListener('abort', close);
    try {
      yield* watch;
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener('abort', close);
      watch.close();
    }
  }

  /** Resolves when the client's connection has taken it. */
  async #tell(revision: Revision, kv: KeyValue): Promise<void> {
    const { signal } = this.parts.waiting;
    signal.throwIfAborted();
    if (
      this.#last?.modRevision === kv.modRevision &&
      Buffer.compare(this.#last.key, kv.key) === 0
    ) {
      return;
    }
    this.#last = kv;
    const message = { header: this.parts.context.header(revision), kv: toKeyValue(kv) };
    const release = this.parts.told.hold(leaderSize(message).bytes);
    this.parts.call.once('cancelled', release);
    await abortable(signal, (resolve) => {
      this.parts.call.write(message, () => {
        this.parts.call.off('cancelled', release);
        release();
        resolve();
      });
      return () => undefined;
    });
  }
}
