import { fromByteKey, toByteKey } from './byte-key.js';
import type { ByteKey } from './byte-key.js';
import { Decoder, Encoder } from './codec.js';
import type { KeyVersion } from './key-history.js';
import { KeyStore } from './key-store.js';
import { LeaseTable } from './lease-table.js';
import { NO_LEASE } from './types.js';

/** Version of the layout of snapshots; another is refused. */
const SNAPSHOT_FORMAT = 1;

/** Revisions, leases by id, keys in order, each with its kept versions. */
export function encodeSnapshot(keys: KeyStore, leases: LeaseTable): Uint8Array {
  const out = new Encoder(keys.sizeBytes + 1024).u8(SNAPSHOT_FORMAT);
  out.u64(keys.revision).u64(keys.compactRevision);
  out.list(leases.list(), ({ id, ttlMs }) => out.i64(id).u64(ttlMs));
  out.list([...keys.histories()], ([key, versions]) => {
    out.bytes(fromByteKey(key));
    out.list(versions, ({ kv, position }) => {
      out.u64(kv.createRevision).u64(kv.modRevision).u32(position);
      out.u64(kv.version).i64(kv.lease).bytes(kv.value);
    });
  });
  return out.done();
}

export function decodeSnapshot(bytes: Uint8Array): { keys: KeyStore; leases: LeaseTable } {
  const from = new Decoder(bytes);
  const format = from.u8();
  if (format !== SNAPSHOT_FORMAT) throw new RangeError(`snapshot format ${format} is not known`);
  const [revision, compactRevision] = [from.u64(), from.u64()];
  const leases = new LeaseTable();
  from.list(() => leases.grant(from.i64(), from.u64()));
  const histories = from.list(() => decodeHistory(from));
  from.end();
  const keys = new KeyStore();
  keys.restore({ revision, compactRevision }, histories);
  for (const [key, versions] of histories) {
    leases.move(key, NO_LEASE, versions.at(-1)?.kv.lease ?? NO_LEASE);
  }
  return { keys, leases };
}

function decodeHistory(from: Decoder): [ByteKey, KeyVersion[]] {
  const key = from.bytes();
  const versions = from.list((): KeyVersion => {
    const [createRevision, modRevision, position] = [from.u64(), from.u64(), from.u32()];
    const [version, lease, value] = [from.u64(), from.i64(), from.bytes()];
    return { kv: { key, value, createRevision, modRevision, version, lease }, position };
  });
  return [toByteKey(key), versions];
}
