import { assert } from '@pawl/kernel';
import { compareBytes, toByteKey } from './byte-key.js';
import { checkCommand } from './check-command.js';
import { KeyStore, putCost } from './key-store.js';
import { LeaseTable } from './lease-table.js';
import type { StateLimits } from './limits.js';
import { DEFAULT_STATE_LIMITS } from './limits.js';
import { decodeSnapshot, encodeSnapshot } from './snapshot-codec.js';
import type {
  Command,
  CommandResult,
  Compare,
  KeyRange,
  KeyValue,
  Lease,
  LeaseId,
  Operation,
  OperationResult,
  RangeContent,
  Refusal,
  Revision,
  RevisionEvents,
} from './types.js';
import { NO_LEASE } from './types.js';

/** Where in the log a command stands. */
export interface CommandPlace {
  readonly index: number;
  readonly term: number;
}

/**
 * The replicated key-value store with the semantics of etcd v3: revisions, history, transactions,
 * leases. Pure: the same commands at the same places give the same state and the same answers on
 * every node. A refused command changes nothing.
 */
export class MetadataState {
  readonly #limits: StateLimits;
  #keys = new KeyStore();
  #leases = new LeaseTable();

  constructor(limits: StateLimits = DEFAULT_STATE_LIMITS) {
    this.#limits = limits;
  }

  /** Of the newest change; 1 while nothing was written. */
  get revision(): Revision {
    return this.#keys.revision;
  }

  /** Oldest revision that can still be read or watched from; 0: all. */
  get compactRevision(): Revision {
    return this.#keys.compactRevision;
  }

  get sizeBytes(): number {
    return this.#keys.sizeBytes;
  }

  /** By id. */
  get leases(): readonly Lease[] {
    return this.#leases.list();
  }

  lease(id: LeaseId): Lease | null {
    return this.#leases.find(id);
  }

  apply(command: Command, place: CommandPlace): CommandResult {
    const refusal = checkCommand(command, this.#limits);
    if (refusal !== null) return this.#refused(refusal);
    switch (command.kind) {
      case 'txn': {
        const succeeded = command.compare.every((compare) => this.#holds(compare));
        return this.#execute(succeeded, succeeded ? command.success : command.failure);
      }
      case 'lease-grant':
        return this.#grant(command.id, command.ttlMs, place);
      case 'lease-revoke':
        if (!this.#leases.has(command.id)) return this.#refused('lease-not-found');
        return this.#end([command.id]);
      case 'lease-expire': {
        const current = command.term === place.term;
        return this.#end(current ? command.ids.filter((id) => this.#leases.has(id)) : []);
      }
      case 'compact':
        return this.#compact(command.revision);
    }
  }

  /** Reads without a place in the log. */
  range(
    range: KeyRange,
    revision: Revision = 0,
    limit = 0,
  ): RangeContent | { readonly refusal: Refusal } {
    if (range.key.length === 0) return { refusal: 'empty-key' };
    const refusal = this.#checkRevision(revision);
    return refusal === null ? this.#keys.range(range, revision, limit) : { refusal };
  }

  /** What changed from a revision on that is not compacted, at most `limit` revisions. */
  events(from: Revision, limit: number): readonly RevisionEvents[] {
    assert(from >= this.compactRevision, 'events below the compaction revision are gone');
    return this.#keys.events(from, limit);
  }

  /** The whole state in canonical bytes: equal states give equal bytes. */
  snapshot(): Uint8Array {
    return encodeSnapshot(this.#keys, this.#leases);
  }

  /** Replaces the state; throws a `RangeError` when the bytes are not a snapshot of this format. */
  restore(bytes: Uint8Array): void {
    const { keys, leases } = decodeSnapshot(bytes);
    this.#keys = keys;
    this.#leases = leases;
  }

  #refused(refusal: Refusal): CommandResult {
    return { kind: 'refused', revision: this.revision, refusal };
  }

  #holds(compare: Compare): boolean {
    const kv = this.#keys.get(toByteKey(compare.key));
    const difference = differenceTo(kv, compare);
    if (difference === null) return false;
    switch (compare.operator) {
      case '=':
        return difference === 0;
      case '!=':
        return difference !== 0;
      case '<':
        return difference < 0;
      case '>':
        return difference > 0;
    }
  }

  #execute(succeeded: boolean, operations: readonly Operation[]): CommandResult {
    const refusal = this.#checkOperations(operations);
    if (refusal !== null) return this.#refused(refusal);
    const results = operations.map((operation) => this.#perform(operation));
    return { kind: 'txn', revision: this.#keys.commit(), succeeded, results };
  }

  #checkOperations(operations: readonly Operation[]): Refusal | null {
    let costBytes = 0;
    for (const operation of operations) {
      if (operation.kind === 'put') {
        const { key, value, lease } = operation;
        if (lease !== NO_LEASE && !this.#leases.has(lease)) return 'lease-not-found';
        costBytes += putCost(key, value);
      } else if (operation.kind === 'range') {
        const refusal = this.#checkRevision(operation.revision ?? 0);
        if (refusal !== null) return refusal;
      }
    }
    const full = costBytes > 0 && this.sizeBytes + costBytes > this.#limits.totalBytes;
    return full ? 'no-space' : null;
  }

  #checkRevision(revision: Revision): Refusal | null {
    if (revision === 0) return null;
    if (revision > this.revision) return 'future-revision';
    return revision < this.compactRevision ? 'compacted' : null;
  }

  #perform(operation: Operation): OperationResult {
    switch (operation.kind) {
      case 'put': {
        const key = toByteKey(operation.key);
        const previous = this.#keys.put(key, operation.value, operation.lease);
        this.#leases.move(key, previous?.lease ?? NO_LEASE, operation.lease);
        return { kind: 'put', previous };
      }
      case 'delete': {
        const keys = this.#keys.liveKeys(operation);
        const previous = keys.map((key) => this.#delete(key)).filter((kv) => kv !== null);
        return { kind: 'delete', previous };
      }
      case 'range': {
        const { revision = 0, limit = 0 } = operation;
        return { kind: 'range', ...this.#keys.range(operation, revision, limit) };
      }
    }
  }

  #delete(key: string): KeyValue | null {
    const previous = this.#keys.delete(key);
    if (previous !== null) this.#leases.move(key, previous.lease, NO_LEASE);
    return previous;
  }

  /** An id that nobody chose follows the place in the log, which no other command has. */
  #grant(wanted: LeaseId, ttlMs: number, { index }: CommandPlace): CommandResult {
    if (this.#leases.has(wanted)) return this.#refused('lease-exists');
    let id = wanted;
    for (let next = BigInt(index); id === NO_LEASE; next += 1n) {
      if (!this.#leases.has(next)) id = next;
    }
    this.#leases.grant(id, ttlMs);
    return { kind: 'lease', revision: this.revision, id };
  }

  /** Ends leases; their keys go in one revision. */
  #end(ids: readonly LeaseId[]): CommandResult {
    for (const id of ids) {
      for (const key of this.#leases.keys(id)) this.#delete(key);
      this.#leases.remove(id);
    }
    return { kind: 'done', revision: this.#keys.commit(), ids };
  }

  #compact(revision: Revision): CommandResult {
    if (revision > this.revision) return this.#refused('future-revision');
    if (revision <= this.compactRevision) return this.#refused('compacted');
    this.#keys.compact(revision);
    return { kind: 'done', revision: this.revision, ids: [] };
  }
}

/** Sign of (what is there - what is compared with); null when there is nothing to compare. */
function differenceTo(kv: KeyValue | null, compare: Compare): number | null {
  switch (compare.target) {
    case 'version':
      return (kv?.version ?? 0) - compare.value;
    case 'create':
      return (kv?.createRevision ?? 0) - compare.value;
    case 'mod':
      return (kv?.modRevision ?? 0) - compare.value;
    case 'lease': {
      const lease = kv?.lease ?? NO_LEASE;
      return lease === compare.value ? 0 : lease < compare.value ? -1 : 1;
    }
    case 'value':
      return kv === null ? null : compareBytes(kv.value, compare.value);
  }
}
