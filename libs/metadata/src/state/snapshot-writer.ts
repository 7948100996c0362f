import { ALARM_KINDS } from './alarm-table.js';
import { Encoder } from './codec.js';
import type { KeyStore } from './key-store.js';
import { encodeMember } from './member-table.js';
import { PinnedSteps } from './pinned-steps.js';
import { encodeKeyValue } from './result-codec.js';
import type { SessionState } from './session-table.js';
import { stateAt } from './state-walk.js';
import type { Alarm, KeyValue, LeaseState, MemberRecord, Revision } from './types.js';

/** Version of the layout of snapshots; another is refused. */
export const SNAPSHOT_FORMAT = 3;

/**
 * A snapshot is the format's byte and then blocks: a length in 32 bits and so many bytes of records.
 * The order is that of their numbers: append only.
 */
export const RECORDS = [
  'head',
  'lease',
  'alarm',
  'session',
  'answer',
  'key',
  'change',
  'revision',
  'end',
  'member',
] as const;
type RecordKind = (typeof RECORDS)[number];

/** Everything but the keys, copied at one moment. */
export interface SnapshotHead {
  readonly appliedIndex: number;
  readonly commandFormat: number;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly leases: readonly LeaseState[];
  readonly alarms: readonly Alarm[];
  readonly members: readonly MemberRecord[];
  readonly sessions: readonly SessionState[];
}

/**
 * Encodes the state of the moment in which this is called, however much later the pieces are taken:
 * each has about `chunkBytes`, more only for a single larger record. Equal states give equal bytes
 * when they are cut alike. Compacted memory is kept until the last piece is taken, or `return()`.
 */
export function snapshotChunks(
  head: SnapshotHead,
  keys: KeyStore,
  chunkBytes: number,
): PinnedSteps<Uint8Array, void> {
  return new PinnedSteps(keys, new SnapshotWriter(chunkBytes).write(head, keys));
}

class SnapshotWriter {
  readonly #out: Encoder;
  #records = 0;

  constructor(private readonly chunkBytes: number) {
    this.#out = new Encoder(chunkBytes + 4096);
  }

  *write(head: SnapshotHead, keys: KeyStore): Generator<Uint8Array, void> {
    yield Uint8Array.of(SNAPSHOT_FORMAT);
    this.#out.u32(0);
    for (const _ of this.#everything(head, keys)) {
      if (this.#out.length >= this.chunkBytes) yield this.#block();
    }
    this.#record('end').u64(this.#records);
    yield this.#block();
  }

  /** Appends record after record; stops after each that may be large. */
  *#everything(head: SnapshotHead, keys: KeyStore): Generator<void> {
    this.#record('head').u64(head.appliedIndex).u32(head.commandFormat);
    this.#out.u64(head.revision).u64(head.compactRevision);
    yield* this.#tables(head);
    const first = Math.max(2, head.compactRevision);
    for (const kv of stateAt(keys, head.compactRevision)) {
      if (kv !== null && kv.modRevision < first) this.#kv('key', kv);
      yield;
    }
    for (let revision = first; revision <= head.revision; revision += 1) {
      for (const { kv } of keys.changes(revision)) {
        this.#kv('change', kv);
        yield;
      }
      this.#record('revision');
    }
  }

  *#tables({ leases, alarms, members, sessions }: SnapshotHead): Generator<void> {
    for (const { id, ttlMs, remainingMs } of leases) {
      this.#record('lease').i64(id).u64(ttlMs).u64(remainingMs);
      yield;
    }
    for (const { member, alarm } of alarms) {
      this.#record('alarm').i64(member).u8(ALARM_KINDS.indexOf(alarm));
    }
    for (const member of members) encodeMember(this.#record('member'), member);
    for (const { id, usedAt, answered, answers } of sessions) {
      this.#record('session').i64(id).u64(usedAt).u64(answered);
      for (const [sequence, answer] of answers) {
        this.#record('answer').u64(sequence).bytes(answer);
        yield;
      }
    }
  }

  #kv(kind: RecordKind, kv: KeyValue): void {
    this.#record(kind);
    encodeKeyValue(this.#out, kv);
  }

  #record(kind: RecordKind): Encoder {
    this.#records += 1;
    return this.#out.u8(RECORDS.indexOf(kind));
  }

  #block(): Uint8Array {
    const block = this.#out.done();
    new DataView(block.buffer).setUint32(0, block.length - 4);
    this.#out.reset().u32(0);
    return block;
  }
}
