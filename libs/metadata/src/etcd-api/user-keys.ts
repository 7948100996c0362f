import type { KeyRange, LeaseId } from '../state/index.js';
import type * as rpc from '../etcd-protocol/messages.js';

/**
 * Users' keys are stored behind this byte, `u`, so that they and our own never meet. Ours begin with
 * `pawl/`: they come before, so the range from a user's key on without an end holds users' keys only.
 */
const USER = 0x75;
const TO_THE_END = Uint8Array.of(0);
/** No lease has it: ours count down from -1. */
const NO_SUCH_LEASE: LeaseId = -(2n ** 63n);

export function toStoredKey(key: Uint8Array): Uint8Array {
  const stored = new Uint8Array(key.length + 1);
  stored[0] = USER;
  stored.set(key, 1);
  return stored;
}

/** Shares the bytes of the stored key. */
export function toUserKey(stored: Uint8Array): Uint8Array {
  return stored.subarray(1);
}

/** As etcd reads its ranges: without an end one key, with a zero byte as its end all from there on. */
export function toStoredRange({ key, range_end }: rpc.RangeBounds): KeyRange {
  if (range_end.length === 0) return { key: toStoredKey(key) };
  if (range_end.length === 1 && range_end[0] === 0) {
    return { key: toStoredKey(key), rangeEnd: TO_THE_END };
  }
  return { key: toStoredKey(key), rangeEnd: toStoredKey(range_end) };
}

/** Users' leases are those with positive ids. */
export function isUserLease(id: LeaseId): boolean {
  return id > 0n;
}

/** A lease that a user names; one that is ours becomes one that is not there. */
export function toLeaseId(text: string): LeaseId {
  const id = BigInt(text);
  return id < 0n ? NO_SUCH_LEASE : id;
}
