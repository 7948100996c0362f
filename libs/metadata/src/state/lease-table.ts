import type { ByteKey } from './byte-key.js';
import type { LeaseState, LeaseId } from './types.js';
import { NO_LEASE } from './types.js';

/** What a lease counts towards the size of the store. */
export const LEASE_COST_BYTES = 128;

interface Entry {
  readonly ttlMs: number;
  remainingMs: number;
  readonly keys: Set<ByteKey>;
}

/**
 * Leases and the keys that go with them. How much of a lease's time is left is counted by the
 * leader's host; what is known here is its last checkpoint, with which the next leader begins.
 */
export class LeaseTable {
  readonly #leases = new Map<LeaseId, Entry>();

  get sizeBytes(): number {
    return this.#leases.size * LEASE_COST_BYTES;
  }

  has(id: LeaseId): boolean {
    return this.#leases.has(id);
  }

  grant({ id, ttlMs, remainingMs }: LeaseState): void {
    this.#leases.set(id, { ttlMs, remainingMs, keys: new Set() });
  }

  /** `remainingMs` 0: all of its time. An unknown lease is passed over. */
  checkpoint(id: LeaseId, remainingMs: number): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    const whole = remainingMs === 0 || remainingMs > lease.ttlMs;
    lease.remainingMs = whole ? lease.ttlMs : remainingMs;
  }

  remove(id: LeaseId): void {
    this.#leases.delete(id);
  }

  move(key: ByteKey, from: LeaseId, to: LeaseId): void {
    if (from === to) return;
    if (from !== NO_LEASE) this.#leases.get(from)?.keys.delete(key);
    if (to !== NO_LEASE) this.#leases.get(to)?.keys.add(key);
  }

  countKeys(id: LeaseId): number {
    return this.#leases.get(id)?.keys.size ?? 0;
  }

  hasKey(id: LeaseId, key: ByteKey): boolean {
    return this.#leases.get(id)?.keys.has(key) === true;
  }

  /** The first of some leases, those that are not there left out: with so many keys, or just one. */
  together(ids: readonly LeaseId[], mostKeys: number): LeaseId[] {
    const together: LeaseId[] = [];
    let keys = 0;
    for (const id of ids) {
      if (!this.#leases.has(id)) continue;
      keys += this.countKeys(id);
      if (keys > mostKeys && together.length > 0) break;
      together.push(id);
    }
    return together;
  }

  /** Keys of a lease, in order. */
  keys(id: LeaseId): ByteKey[] {
    return [...(this.#leases.get(id)?.keys ?? [])].sort();
  }

  /** All leases by id. */
  list(): LeaseState[] {
    return this.inOrderOfGrant().sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  inOrderOfGrant(): LeaseState[] {
    return [...this.#leases].map(([id, { ttlMs, remainingMs }]) => ({ id, ttlMs, remainingMs }));
  }

  find(id: LeaseId): LeaseState | null {
    const lease = this.#leases.get(id);
    if (lease === undefined) return null;
    return { id, ttlMs: lease.ttlMs, remainingMs: lease.remainingMs };
  }
}
