import type { Timer, TimerHandle } from '@pawl/kernel';
import type { MetadataStore } from '../metadata-store.port.js';
import type { NodeSession } from './node-session.js';
import { encodeRecord, memberKey } from './ownership-keys.js';
import type { MemberRecord } from './ownership-keys.js';
import type { StateChange } from './node-state.js';

export interface OwnRecordOptions {
  readonly store: MetadataStore;
  readonly timer: Timer;
  readonly nodeId: string;
  readonly about: Pick<MemberRecord, 'incarnation' | 'folder' | 'address'>;
  readonly state: () => StateChange;
  /** As in the record. */
  readonly failing: () => readonly number[];
  /** RFC 3339 in UTC. */
  readonly now: () => string;
  readonly retryMs: number;
  readonly sessionEnded: (session: NodeSession) => void;
  /** The store did not answer; it is asked again. */
  readonly unanswered: (error: unknown) => void;
}

/** Keeps this incarnation's member record at what the node says of itself, under its lease. */
export class OwnRecord {
  readonly #options: OwnRecordOptions;
  #record: MemberRecord;
  #session: NodeSession | null = null;
  #written: MemberRecord | null = null;
  #writing: Promise<void> | null = null;
  #retry: TimerHandle | null = null;

  constructor(options: OwnRecordOptions) {
    this.#options = options;
    this.#record = this.#made();
  }

  /** What is to be in the store. */
  get record(): MemberRecord {
    return this.#record;
  }

  /** The node says something else of itself than before. */
  changed(): void {
    this.#record = this.#made(this.#record);
    this.#write();
  }

  /** From now on the record of this session is kept, which was written as `written`. */
  keep(session: NodeSession, written: MemberRecord): void {
    this.#session = session;
    this.#written = written;
    this.#write();
  }

  /** The session has ended: the record went with it. */
  async release(): Promise<void> {
    this.#session = null;
    this.#retry?.cancel();
    this.#retry = null;
    await this.#writing;
  }

  #made(before?: MemberRecord): MemberRecord {
    const { about, now, state } = this.#options;
    const failing = this.#options.failing();
    const { state: name, settled, lacks, problem, lapses } = state();
    const same = before?.state === name && before.lacks === (lacks ?? undefined);
    return {
      ...about,
      state: name,
      since: same && before.since !== undefined ? before.since : now(),
      ...(settled ? { settled: true } : {}),
      ...(lacks === null ? {} : { lacks }),
      ...(problem === null ? {} : { problem }),
      ...(lapses === 0 ? {} : { lapses }),
      ...(failing.length === 0 ? {} : { failing }),
    };
  }

  #write(): void {
    if (this.#writing !== null || this.#retry !== null) return;
    this.#writing = this.#untilWritten().finally(() => {
      this.#writing = null;
      if (this.#session !== null && this.#written !== this.#record) this.#write();
    });
  }

  async #untilWritten(): Promise<void> {
    while (this.#session !== null && this.#written !== this.#record) {
      const session = this.#session;
      const record = this.#record;
      try {
        const stands = await this.#put(session, record);
        if (this.#session !== session) continue;
        this.#written = record;
        if (!stands) this.#options.sessionEnded(session);
      } catch (error) {
        this.#options.unanswered(error);
        if (this.#session === null) return;
        this.#retry = this.#options.timer.after(this.#options.retryMs, () => {
          this.#retry = null;
          this.#write();
        });
        return;
      }
    }
  }

  /** False when the record of the session is not there any more. */
  async #put(session: NodeSession, record: MemberRecord): Promise<boolean> {
    const key = memberKey(this.#options.nodeId);
    const { lease, memberRevision: value } = session;
    const result = await this.#options.store.txn({
      compare: [{ key, target: 'create', operator: '=', value }],
      success: [{ kind: 'put', key, value: encodeRecord(record), lease }],
      failure: [],
    });
    return result.ok ? result.succeeded : result.refusal !== 'lease-not-found' && refused(result);
  }
}

function refused({ refusal }: { readonly refusal: string }): never {
  throw new Error(`the member record was refused: ${refusal}`);
}
