import { assert } from '@pawl/kernel';
import { AlarmTable } from './alarm-table.js';
import { fromByteKey, isSingleKey } from './byte-key.js';
import { checkCommand, isReadOnly, isUsers } from './check-command.js';
import { COMMAND_FORMAT, decodeCommand } from './command-codec.js';
import { refuseEarlierFormat } from './earlier-format.js';
import { checkPlan, checkRevision, costOf, performPlan, planTxn } from './execute-txn.js';
import { hashKvSteps } from './hash-kv.js';
import type { HashKv } from './hash-kv.js';
import { KeyStore } from './key-store.js';
import type { EventQuery } from './key-store.js';
import { LEASE_COST_BYTES, LeaseTable } from './lease-table.js';
import type { StateLimits } from './limits.js';
import { DEFAULT_STATE_LIMITS } from './limits.js';
import { MemberTable } from './member-table.js';
import type { PinnedSteps } from './pinned-steps.js';
import { toAnswer } from './read-range.js';
import { decodeResult, encodeResult, resultBytes } from './result-codec.js';
import { SessionTable } from './session-table.js';
import { SnapshotReader } from './snapshot-reader.js';
import { snapshotChunks } from './snapshot-writer.js';
import { TooMuchWorkError, TxnWork } from './txn-work.js';
import type {
  Alarm,
  Command,
  CommandBody,
  CommandResult,
  LeaseState,
  LeaseCheckpoint,
  LeaseId,
  MemberPut,
  MemberRecord,
  Origin,
  RangeContent,
  RangeRequest,
  Refusal,
  Revision,
  RevisionEvents,
  Txn,
} from './types.js';
import { NO_LEASE } from './types.js';

/** Where in the log a command stands. */
export interface CommandPlace {
  readonly index: number;
  readonly term: number;
}

/** A part of the changes that a query finds. */
export type EventPage =
  | {
      readonly kind: 'events';
      readonly revisions: readonly RevisionEvents[];
      /** Where to read on; the next revision of the store when all was read. */
      readonly next: Revision;
    }
  /** What comes next was compacted away. */
  | { readonly kind: 'compacted'; readonly compactRevision: Revision };

/** Bounds of a page, each checked between revisions. */
export interface PageBounds {
  /** Changes looked at. */
  readonly changes: number;
  /** Events found. */
  readonly events: number;
}

/** The cluster decided on commands that this build does not know: it must not go on. */
export class CommandFormatError extends Error {
  override readonly name = 'CommandFormatError';
}

/** Compacted changes whose memory is looked for with each command. */
const SCAVENGED_PER_COMMAND = 128;
const CHUNK_BYTES = 64 * 1024;
const HASH_STEP_BYTES = 256 * 1024;
/** The store raises its own alarm on all members at once. */
const FULL: Alarm = { member: 0n, alarm: 'nospace' };

/**
 * The replicated key-value store with the semantics of etcd v3: revisions, history, transactions,
 * leases. Pure: the same commands at the same places give the same state and the same answers on
 * every node. A refused command changes nothing, but that for lack of space raises the alarm.
 */
export class MetadataState {
  readonly #limits: StateLimits;
  #keys = new KeyStore();
  #leases = new LeaseTable();
  #alarms = new AlarmTable();
  #members = new MemberTable();
  #sessions: SessionTable;
  #appliedIndex = 0;
  #commandFormat = COMMAND_FORMAT;

  constructor(limits: StateLimits = DEFAULT_STATE_LIMITS) {
    this.#limits = limits;
    this.#sessions = new SessionTable(limits.sessions);
  }

  /** Of the newest change; 1 while nothing was written. */
  get revision(): Revision {
    return this.#keys.revision;
  }

  /** Oldest revision that can still be read or watched from; 0: all. */
  get compactRevision(): Revision {
    return this.#keys.compactRevision;
  }

  /** Place of the last command in the log; 0 before the first. */
  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** What quotas are held against: the versions that can be read, and leases. */
  get sizeBytes(): number {
    return this.#keys.sizeBytes + this.#leases.sizeBytes;
  }

  /** The same with what was compacted and is not given back yet, at most. */
  get keptBytes(): number {
    return this.#keys.keptBytes + this.#leases.sizeBytes;
  }

  /** By id. */
  get leases(): readonly LeaseState[] {
    return this.#leases.list();
  }

  /** Those that are on, by member. */
  get alarms(): readonly Alarm[] {
    return this.#alarms.list();
  }

  /** By id. */
  get members(): readonly MemberRecord[] {
    return this.#members.list();
  }

  member(id: string): MemberRecord | null {
    return this.#members.find(id);
  }

  lease(id: LeaseId): LeaseState | null {
    return this.#leases.find(id);
  }

  /** Keys that go with a lease, in order; none when there is no such lease. */
  leaseKeys(id: LeaseId): Uint8Array[] {
    return this.#leases.keys(id).map(fromByteKey);
  }

  /**
   * Applies a command as it stands in the log. Bytes that are no command are refused, by every
   * member alike. Throws {@link CommandFormatError} when this build cannot follow the cluster, and an
   * {@link EarlierFormatError} for a command of an earlier build.
   */
  applyEncoded(bytes: Uint8Array, place: CommandPlace): CommandResult {
    refuseEarlierFormat(bytes[0], COMMAND_FORMAT);
    let command: Command;
    try {
      command = decodeCommand(bytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#advance(place);
      return this.#refused('unknown-command');
    }
    return this.apply(command, place);
  }

  /** Each place in the log once, in its order. */
  apply(command: Command, place: CommandPlace): CommandResult {
    this.#advance(place);
    const { session } = command;
    if (session === undefined) return this.#dispatch(command, place);
    const recall = this.#sessions.recall(session, place.index);
    if (recall.kind === 'refused') return this.#refused(recall.refusal);
    if (recall.kind === 'answered') return decodeResult(recall.answer);
    const result = this.#dispatch(command, place);
    const kept = resultBytes(result) <= this.#limits.sessions.answerBytes;
    this.#sessions.keep(session, kept ? encodeResult(result) : null);
    return result;
  }

  /** Reads without a place in the log; `revision` and `limit` are those of the request. */
  range(
    request: RangeRequest,
    revision: Revision = request.revision ?? 0,
    limit = request.limit ?? 0,
  ): RangeContent | { readonly refusal: Refusal } {
    if (request.key.length === 0) return { refusal: 'empty-key' };
    const refusal = checkRevision(revision, this.#keys);
    if (refusal !== null) return { refusal };
    const { rangeSteps: steps, rangeAnswerBytes: answerBytes } = this.#limits;
    const work = new TxnWork({ steps, answerBytes });
    return unlessTooMuch(() => {
      const content = this.#keys.range(request, revision, limit, work);
      return toAnswer(content, request, work);
    });
  }

  /** Does a transaction that writes nothing (`isReadOnly`) without a place in the log. */
  readTxn(txn: Txn): CommandResult {
    assert(isReadOnly(txn), 'a transaction that writes goes through the log');
    const refusal = checkCommand({ kind: 'txn', ...txn }, this.#limits);
    return refusal === null ? this.#txn(txn, 'own') : this.#refused(refusal);
  }

  /** What changed from a revision on that is not compacted, at most `limit` revisions. */
  events(from: Revision, limit: number): readonly RevisionEvents[] {
    assert(from >= this.compactRevision, 'events below the compaction revision are gone');
    return this.#keys.events(from, limit);
  }

  /**
   * What a watch is told, each revision whole. A page may be empty and yet have a `next` to read on
   * from: what there is ends where `next` is beyond {@link revision}.
   */
  readEvents(query: EventQuery, bounds: PageBounds): EventPage {
    const { compactRevision, revision: last } = this;
    if (query.from < compactRevision) return { kind: 'compacted', compactRevision };
    const revisions: RevisionEvents[] = [];
    let { changes: changesLeft, events: eventsLeft } = bounds;
    let at: Revision = Math.max(query.from, this.#keys.firstRevision);
    while (at <= last && changesLeft > 0 && eventsLeft > 0) {
      if (isSingleKey(query)) {
        at = this.#keys.nextChange(query.key, at) ?? last + 1;
        if (at > last) break;
      }
      const events = this.#keys.readEvents(query, at);
      if (events.length > 0) revisions.push({ revision: at, events });
      changesLeft -= this.#keys.changes(at).length;
      eventsLeft -= events.length;
      at += 1;
    }
    return { kind: 'events', revisions, next: at };
  }

  /**
   * The hash of all keys at a revision and of the history behind it: equal on all members for equal
   * revisions. In steps of bounded work; give it back by `return()` when it is not run to its end.
   * `revision` 0: now. `compactRevision`: how much history counts, at least what is compacted here.
   */
  hashKvSteps(
    revision: Revision = 0,
    compactRevision: Revision = this.compactRevision,
  ): PinnedSteps<void, HashKv> | { readonly refusal: Refusal } {
    const at = revision === 0 ? this.revision : revision;
    if (at > this.revision) return { refusal: 'future-revision' };
    if (at < compactRevision || compactRevision < this.compactRevision) {
      return { refusal: 'compacted' };
    }
    return hashKvSteps(this.#keys, { revision: at, compactRevision }, HASH_STEP_BYTES);
  }

  /** The same in one go. */
  hashKv(
    revision: Revision = 0,
    compactRevision: Revision = this.compactRevision,
  ): HashKv | { readonly refusal: Refusal } {
    const steps = this.hashKvSteps(revision, compactRevision);
    if ('refusal' in steps) return steps;
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** Gives back compacted memory, looking at `changes` changes; answers whether more is left. */
  scavenge(changes: number): boolean {
    return this.#keys.scavenge(changes);
  }

  /** Whether a snapshot or hash that is under way keeps compacted memory. */
  get pinned(): boolean {
    return this.#keys.pinned;
  }

  /** The whole state in canonical bytes: equal states give equal bytes. */
  snapshot(): Uint8Array {
    const chunks = [...this.snapshotChunks()];
    const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  /**
   * The same in pieces, of the moment of this call: commands may be applied before they are taken.
   * Memory that compaction frees is kept meanwhile, so end it by `return()` if it is given up.
   */
  snapshotChunks(): PinnedSteps<Uint8Array, void> {
    const head = {
      appliedIndex: this.#appliedIndex,
      commandFormat: this.#commandFormat,
      revision: this.revision,
      compactRevision: this.compactRevision,
      leases: this.#leases.inOrderOfGrant(),
      alarms: this.alarms,
      members: this.members,
      sessions: [...this.#sessions.list()].map((session) => ({
        ...session,
        answers: new Map(session.answers),
      })),
    };
    return snapshotChunks(head, this.#keys, CHUNK_BYTES);
  }

  /** Replaces the state; throws a `RangeError` when the bytes are not a snapshot of this format. */
  restore(bytes: Uint8Array): void {
    const steps = this.restoreSteps(bytes);
    while (steps.next().done !== true);
  }

  /** The same in steps of bounded work; the state stays as it is until the last. */
  *restoreSteps(bytes: Uint8Array, stepBytes = CHUNK_BYTES): IterableIterator<void> {
    const reader = new SnapshotReader(this.#limits.sessions);
    for (let at = 0; at < bytes.length; at += stepBytes) {
      reader.push(bytes.subarray(at, at + stepBytes));
      yield;
    }
    const content = reader.finish();
    checkFormat(content.commandFormat);
    this.#keys = content.keys;
    this.#leases = content.leases;
    this.#alarms = content.alarms;
    this.#members = content.members;
    this.#sessions = content.sessions;
    this.#appliedIndex = content.appliedIndex;
    this.#commandFormat = content.commandFormat;
  }

  #advance({ index }: CommandPlace): void {
    assert(index > this.#appliedIndex, 'a place in the log is applied once');
    this.#appliedIndex = index;
    this.#sessions.expire(index);
    this.#keys.scavenge(SCAVENGED_PER_COMMAND);
  }

  #dispatch(command: CommandBody, place: CommandPlace): CommandResult {
    const refusal = this.#checkAlarms(command) ?? checkCommand(command, this.#limits);
    if (refusal !== null) return this.#refused(refusal);
    switch (command.kind) {
      case 'txn':
        return this.#txn(command, command.origin ?? 'own');
      case 'lease-grant':
        return this.#grant(command, place);
      case 'lease-revoke':
        if (!this.#leases.has(command.id)) return this.#refused('lease-not-found');
        return this.#end([command.id]);
      case 'lease-expire': {
        const current = command.term === place.term;
        return this.#end(current ? this.#leases.together(command.ids, this.#limits.leaseKeys) : []);
      }
      case 'lease-checkpoint':
        return this.#checkpoint(command.term === place.term ? command.leases : []);
      case 'compact':
        return this.#compact(command.revision);
      case 'session-open':
        this.#sessions.open(BigInt(place.index), place.index);
        return { kind: 'session', revision: this.revision, id: BigInt(place.index) };
      case 'session-close':
        if (!this.#sessions.has(command.id)) return this.#refused('session-not-found');
        this.#sessions.close(command.id);
        return this.#done();
      case 'alarm':
        if (command.action === 'clear') this.#alarms.clear(command);
        else if (!this.#alarms.raise(command)) return this.#refused('too-many-members');
        return this.#done();
      case 'member-put':
        return this.#putMember(command);
      case 'member-remove':
        if (this.#members.find(command.id) === null) return this.#refused('member-not-found');
        this.#members.remove(command.id);
        return this.#done();
      case 'member-reset':
        this.#members = new MemberTable();
        return this.#done();
      case 'upgrade':
        checkFormat(command.format);
        this.#commandFormat = Math.max(this.#commandFormat, command.format);
        return this.#done();
    }
  }

  #refused(refusal: Refusal): CommandResult {
    return { kind: 'refused', revision: this.revision, refusal };
  }

  #done(ids: readonly LeaseId[] = []): CommandResult {
    return { kind: 'done', revision: this.revision, ids };
  }

  /**
   * Users are to write nothing more before somebody has looked. Anyone may raise this alarm, so
   * nothing that Pawl itself lives by stops for it.
   */
  #checkAlarms(command: CommandBody): Refusal | null {
    return this.#alarms.has('corrupt') && isUsers(command) ? 'corrupt' : null;
  }

  #txn(txn: Txn, origin: Origin): CommandResult {
    const work = new TxnWork(this.#limits.txn);
    const result = unlessTooMuch(() => this.#perform(txn, origin, work));
    return 'kind' in result ? result : this.#refused(result.refusal);
  }

  #perform(txn: Txn, origin: Origin, work: TxnWork): CommandResult {
    const plan = planTxn(txn, this.#keys, work);
    const refusal = checkPlan(plan, this.#keys, this.#leases, this.#limits.leaseKeys);
    if (refusal !== null) return this.#refused(refusal);
    if (!this.#hasRoom(costOf(plan, this.#keys), origin)) return this.#refused('no-space');
    const results = performPlan(plan, { keys: this.#keys, leases: this.#leases, work });
    const { succeeded } = plan;
    return { kind: 'txn', revision: this.#keys.commit(), succeeded, results };
  }

  /** Raises the alarm when there is none; users stay out until it is cleared. */
  #hasRoom(costBytes: number, origin: Origin): boolean {
    if (costBytes === 0) return true;
    const { totalBytes, userBytes } = this.#limits;
    const user = origin === 'user';
    const mostBytes = user ? Math.min(totalBytes, userBytes) : totalBytes;
    const fits = this.sizeBytes + costBytes <= mostBytes;
    if (!fits) this.#alarms.raise(FULL);
    return fits && !(user && this.#alarms.has('nospace'));
  }

  /** An id that nobody chose follows the place in the log, which no other command has. */
  #grant(
    { id: wanted, ttlMs, origin = 'own' }: CommandBody & { readonly kind: 'lease-grant' },
    { index }: CommandPlace,
  ): CommandResult {
    if (this.#leases.has(wanted)) return this.#refused('lease-exists');
    if (!this.#hasRoom(LEASE_COST_BYTES, origin)) return this.#refused('no-space');
    let id = wanted;
    const step = origin === 'user' ? 1n : -1n;
    for (let next = step * BigInt(index); id === NO_LEASE; next += step) {
      if (!this.#leases.has(next)) id = next;
    }
    this.#leases.grant({ id, ttlMs, remainingMs: ttlMs });
    return { kind: 'lease', revision: this.revision, id };
  }

  /** Ends leases; the keys of each go in one revision of their own, as in etcd. */
  #end(ids: readonly LeaseId[]): CommandResult {
    for (const id of ids) {
      for (const key of this.#leases.keys(id)) this.#keys.delete(key);
      this.#leases.remove(id);
      this.#keys.commit();
    }
    return this.#done(ids);
  }

  #checkpoint(leases: readonly LeaseCheckpoint[]): CommandResult {
    for (const { id, remainingMs } of leases) this.#leases.checkpoint(id, remainingMs);
    return this.#done();
  }

  #putMember(put: MemberPut): CommandResult {
    const refusal = this.#members.check(put);
    if (refusal !== null) return this.#refused(refusal);
    this.#members.put(put);
    return this.#done();
  }

  #compact(revision: Revision): CommandResult {
    if (revision > this.revision) return this.#refused('future-revision');
    /* As in etcd: where nothing was compacted yet, up to 0 is. */
    if (revision === 0 && this.compactRevision === 0) return this.#done();
    if (revision <= this.compactRevision) return this.#refused('compacted');
    this.#keys.compact(revision);
    return this.#done();
  }
}

function unlessTooMuch<T>(task: () => T): T | { readonly refusal: 'too-large' } {
  try {
    return task();
  } catch (error) {
    if (error instanceof TooMuchWorkError) return { refusal: 'too-large' };
    throw error;
  }
}

function checkFormat(format: number): void {
  if (format <= COMMAND_FORMAT) return;
  throw new CommandFormatError(
    `the cluster uses commands of format ${format}; this build knows them up to ${COMMAND_FORMAT}`,
  );
}
