import { ALARM_KINDS, AlarmTable } from './alarm-table.js';
import { toByteKey } from './byte-key.js';
import { Decoder, pick } from './codec.js';
import { refuseEarlierFormat } from './earlier-format.js';
import { isDeletion } from './key-record.js';
import { KeyStore } from './key-store.js';
import { LeaseTable } from './lease-table.js';
import type { SessionLimits } from './limits.js';
import { MemberTable, decodeMember } from './member-table.js';
import { decodeKeyValue } from './result-codec.js';
import { SessionTable } from './session-table.js';
import type { SessionState } from './session-table.js';
import { RECORDS, SNAPSHOT_FORMAT } from './snapshot-writer.js';
import type { KeyValue, Revision } from './types.js';
import { NO_LEASE } from './types.js';

/** The parts of a state. */
export interface SnapshotContent {
  readonly appliedIndex: number;
  readonly commandFormat: number;
  readonly keys: KeyStore;
  readonly leases: LeaseTable;
  readonly alarms: AlarmTable;
  readonly members: MemberTable;
  readonly sessions: SessionTable;
}

interface Head {
  readonly appliedIndex: number;
  readonly commandFormat: number;
  readonly revision: Revision;
  readonly compactRevision: Revision;
}

/**
 * Takes a snapshot piece by piece, cut anywhere, each in a time that follows its size. Throws a
 * `RangeError` when the bytes are not a snapshot of this format.
 */
export class SnapshotReader {
  /** What was pushed and does not make a block yet. */
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  /** Bytes that the next block needs with its length; 5 at first, for the format too. */
  #wanted = 5;
  #formatRead = false;
  #head: Head | null = null;
  #keys = new KeyStore();
  #changes: KeyValue[] = [];
  #session: SessionState | null = null;
  #records = 0;
  #ended = false;
  readonly #leases = new LeaseTable();
  readonly #alarms = new AlarmTable();
  readonly #members = new MemberTable();
  readonly #sessions: SessionTable;

  constructor(limits: SessionLimits) {
    this.#sessions = new SessionTable(limits);
  }

  push(bytes: Uint8Array): void {
    if (!this.#formatRead && bytes.length > 0) {
      refuseEarlierFormat(bytes[0], SNAPSHOT_FORMAT);
      if (bytes[0] !== SNAPSHOT_FORMAT) {
        throw new RangeError(`snapshot format ${bytes[0]} is not known`);
      }
      this.#formatRead = true;
      this.#wanted = 4;
      this.push(bytes.subarray(1));
      return;
    }
    this.#rest.push(bytes);
    this.#restBytes += bytes.length;
    if (this.#restBytes >= this.#wanted) this.#takeBlocks();
  }

  /** To be called after the last piece. */
  finish(): SnapshotContent {
    const head = this.#head;
    if (!this.#ended || head === null || this.#restBytes > 0) throw new RangeError('cut off');
    this.#endSession();
    if (this.#keys.revision !== head.revision && head.revision > 1) {
      throw new RangeError('revisions are missing');
    }
    this.#keys.index.visit({ from: '', until: null }, ({ id, current }) => {
      const lease = current?.lease ?? NO_LEASE;
      if (lease === NO_LEASE) return true;
      if (!this.#leases.has(lease)) throw new RangeError('no such lease');
      this.#leases.move(id, NO_LEASE, lease);
      return true;
    });
    const { appliedIndex, commandFormat } = head;
    return {
      appliedIndex,
      commandFormat,
      keys: this.#keys,
      leases: this.#leases,
      alarms: this.#alarms,
      members: this.#members,
      sessions: this.#sessions,
    };
  }

  #takeBlocks(): void {
    const bytes = this.#joined();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    this.#wanted = 4;
    while (bytes.length - at >= 4) {
      const length = view.getUint32(at);
      this.#wanted = 4 + length;
      if (bytes.length - at < this.#wanted) break;
      this.#takeRecords(new Decoder(bytes.subarray(at + 4, at + this.#wanted)));
      at += this.#wanted;
      this.#wanted = 4;
    }
    this.#rest = [bytes.subarray(at)];
    this.#restBytes = bytes.length - at;
  }

  #joined(): Uint8Array {
    const [only] = this.#rest;
    if (only !== undefined && this.#rest.length === 1) return only;
    const joined = new Uint8Array(this.#restBytes);
    let at = 0;
    for (const piece of this.#rest) {
      joined.set(piece, at);
      at += piece.length;
    }
    return joined;
  }

  #takeRecords(from: Decoder): void {
    while (from.more) {
      if (this.#ended) throw new RangeError('surplus bytes');
      this.#records += 1;
      this.#takeRecord(from);
    }
  }

  #takeRecord(from: Decoder): void {
    const kind = pick(RECORDS, from.u8());
    if ((kind === 'head') !== (this.#head === null)) throw new RangeError(`${kind} out of place`);
    switch (kind) {
      case 'head':
        this.#takeHead(from);
        return;
      case 'lease':
        this.#leases.grant({ id: from.i64(), ttlMs: from.u64(), remainingMs: from.u64() });
        return;
      case 'alarm':
        this.#alarms.raise({ member: from.i64(), alarm: pick(ALARM_KINDS, from.u8()) });
        return;
      case 'member':
        this.#members.restore(decodeMember(from));
        return;
      case 'session': {
        this.#endSession();
        const [id, usedAt, answered] = [from.i64(), from.u64(), from.u64()];
        this.#session = { id, usedAt, answered, answers: new Map() };
        return;
      }
      case 'answer':
        if (this.#session === null) throw new RangeError('answer out of place');
        this.#session.answers.set(from.u64(), from.bytes());
        return;
      case 'key':
        this.#takeKey(decodeKeyValue(from));
        return;
      case 'change':
        this.#changes.push(decodeKeyValue(from));
        return;
      case 'revision':
        this.#takeRevision();
        return;
      case 'end':
        if (from.u64() !== this.#records) throw new RangeError('records are missing');
        this.#ended = true;
    }
  }

  #takeHead(from: Decoder): void {
    const [appliedIndex, commandFormat] = [from.u64(), from.u32()];
    const [revision, compactRevision] = [from.u64(), from.u64()];
    this.#head = { appliedIndex, commandFormat, revision, compactRevision };
    this.#keys = new KeyStore({ revision, compactRevision });
  }

  #takeKey(kv: KeyValue): void {
    const known = this.#keys.get(toByteKey(kv.key)) !== null;
    if (known || isDeletion(kv) || kv.modRevision >= this.#keys.firstRevision) {
      throw new RangeError('key out of place');
    }
    this.#keys.restoreBase(kv);
  }

  #takeRevision(): void {
    const revision = this.#keys.revision + 1;
    const fits = this.#changes.every(({ modRevision }) => modRevision === revision);
    if (this.#changes.length === 0 || !fits) throw new RangeError('revision out of place');
    this.#keys.restoreRevision(this.#changes);
    this.#changes = [];
  }

  #endSession(): void {
    if (this.#session !== null) this.#sessions.restore(this.#session);
    this.#session = null;
  }
}
