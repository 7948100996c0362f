import type { ByteKey } from './byte-key.js';
import type { Lease, LeaseId } from './types.js';
import { NO_LEASE } from './types.js';

/**
 * Leases and the keys that go with them. How much of a lease's time is left is not part of the
 * state: the leader's host counts it, from a restart or a change of leader at its full length again.
 */
export class LeaseTable {
  readonly #leases = new Map<LeaseId, { readonly ttlMs: number; readonly keys: Set<ByteKey> }>();

  has(id: LeaseId): boolean {
    return this.#leases.has(id);
  }

  grant(id: LeaseId, ttlMs: number): void {
    this.#leases.set(id, { ttlMs, keys: new Set() });
  }

  remove(id: LeaseId): void {
    this.#leases.delete(id);
  }

  move(key: ByteKey, from: LeaseId, to: LeaseId): void {
    if (from !== NO_LEASE) this.#leases.get(from)?.keys.delete(key);
    if (to !== NO_LEASE) this.#leases.get(to)?.keys.add(key);
  }

  /** Keys of a lease, in order. */
  keys(id: LeaseId): ByteKey[] {
    return [...(this.#leases.get(id)?.keys ?? [])].sort();
  }

  /** All leases by id. */
  list(): Lease[] {
    return [...this.#leases]
      .map(([id, { ttlMs }]) => ({ id, ttlMs }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  find(id: LeaseId): Lease | null {
    const lease = this.#leases.get(id);
    return lease === undefined ? null : { id, ttlMs: lease.ttlMs };
  }
}
