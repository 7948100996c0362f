import { bytesField, bytesHead, FieldReader, numberField, wideNumber } from './protobuf.mjs';

// Requests and answers of the etcd v3 API, field numbers as in etcd's rpc.proto and kv.proto.

export const PUT = '/etcdserverpb.KV/Put';
export const RANGE = '/etcdserverpb.KV/Range';
export const COMPACT = '/etcdserverpb.KV/Compact';
export const WATCH = '/etcdserverpb.Watch/Watch';
export const LEASE_GRANT = '/etcdserverpb.Lease/LeaseGrant';
export const STATUS = '/etcdserverpb.Maintenance/Status';

/** @param {string} key @param {Buffer} value @returns {Buffer[]} the value is not copied */
export function putRequest(key, value, lease = 0) {
  const parts = [
    Buffer.concat([bytesField(1, Buffer.from(key)), bytesHead(2, value.length)]),
    value,
  ];
  return lease === 0 ? parts : [...parts, numberField(3, lease)];
}

/** @param {string} key @param {{ serializable?: boolean }} [options] */
export function rangeRequest(key, { serializable = false } = {}) {
  const head = bytesField(1, Buffer.from(key));
  return [serializable ? Buffer.concat([head, numberField(7, 1)]) : head];
}

/** Compacts, and answers when the space was given back. @param {number} revision */
export function compactRequest(revision) {
  return [Buffer.concat([numberField(1, revision), numberField(2, 1)])];
}

/** @param {string} key @param {{ prefix?: boolean }} [options] */
export function watchRequest(key, { prefix = false } = {}) {
  const parts = [bytesField(1, Buffer.from(key))];
  if (prefix) {
    const end = Buffer.from(key);
    end[end.length - 1] += 1;
    parts.push(bytesField(2, end));
  }
  return [bytesField(1, Buffer.concat(parts))];
}

/** @param {number} id @param {number} ttlSeconds */
export function leaseGrantRequest(id, ttlSeconds) {
  return [Buffer.concat([numberField(1, ttlSeconds), numberField(2, id)])];
}

/** The revision in the header of any answer. @param {Buffer} message */
export function revisionOf(message) {
  const reader = new FieldReader(message);
  while (reader.next()) {
    if (reader.field !== 1) continue;
    const header = new FieldReader(message, reader.from, reader.to);
    while (header.next()) if (header.field === 3) return header.number;
  }
  return 0;
}

/** @param {Buffer} message of a `STATUS` @returns {boolean} whether who answers leads */
export function isLeader(message) {
  const reader = new FieldReader(message);
  while (reader.next()) {
    if (reader.field !== 1) continue;
    const leader = wideNumber(message, 4);
    return leader !== null && leader === wideNumber(message.subarray(reader.from, reader.to), 2);
  }
  return false;
}

/** @param {Buffer} message of a `WATCH` @returns {{ created: boolean, canceled: boolean, events: number }} */
export function readWatchAnswer(message) {
  const answer = { created: false, canceled: false, events: 0 };
  const reader = new FieldReader(message);
  while (reader.next()) {
    if (reader.field === 3) answer.created = reader.number === 1;
    else if (reader.field === 4) answer.canceled = reader.number === 1;
    else if (reader.field === 11) answer.events += 1;
  }
  return answer;
}

/** @param {Buffer} message of a `WATCH` @returns {string[]} the keys that it says were deleted */
export function deletedKeys(message) {
  const keys = [];
  const reader = new FieldReader(message);
  while (reader.next()) {
    if (reader.field !== 11) continue;
    let deleted = false;
    let key = '';
    const event = new FieldReader(message, reader.from, reader.to);
    while (event.next()) {
      if (event.field === 1) deleted = event.number === 1;
      else if (event.field === 2) {
        const kv = new FieldReader(message, event.from, event.to);
        while (kv.next()) if (kv.field === 1) key = message.toString('utf8', kv.from, kv.to);
      }
    }
    if (deleted) keys.push(key);
  }
  return keys;
}
