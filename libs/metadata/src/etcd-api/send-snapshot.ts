import type { ServerWritableStream } from '@grpc/grpc-js';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import type { ApiContext } from './api-context.js';
import type * as rpc from '../etcd-protocol/messages.js';

/** etcdctl takes a snapshot for whole when its size is a multiple of this plus a SHA-256. */
const SECTOR_BYTES = 512;
const HASH_BYTES = 32;

/**
 * Streams the whole state of this moment, padded to sectors, and the SHA-256 of all that. It is read
 * twice, first for its size, so that nothing of it is kept; the content is that of the metadata
 * state's own snapshots, not a database of etcd.
 */
export async function sendSnapshot(
  context: ApiContext,
  call: ServerWritableStream<object, rpc.Written<rpc.SnapshotResponse>>,
): Promise<void> {
  const [measured, sent] = [context.node.snapshot(), context.node.snapshot()];
  const header = context.header();
  const hash = createHash('sha256');
  try {
    let bytes = 0;
    for (const chunk of measured) {
      bytes += chunk.length;
      await turn();
      if (call.cancelled) return;
    }
    const padding = new Uint8Array((SECTOR_BYTES - (bytes % SECTOR_BYTES)) % SECTOR_BYTES);
    let left = bytes + padding.length + HASH_BYTES;
    const send = async (blob: Uint8Array): Promise<void> => {
      left -= blob.length;
      await write(call, { header, remaining_bytes: left, blob });
    };
    for (const chunk of sent) {
      hash.update(chunk);
      await send(chunk);
      if (call.cancelled) return;
    }
    await send(padding);
    await send(hash.update(padding).digest());
    call.end();
  } finally {
    measured.return();
    sent.return();
  }
}

/** Resolves when there is room for more, or nobody listens any more. */
async function write(
  call: ServerWritableStream<object, rpc.Written<rpc.SnapshotResponse>>,
  message: rpc.Written<rpc.SnapshotResponse>,
): Promise<void> {
  if (call.write(message)) return;
  const over = new AbortController();
  const { signal } = over;
  const left = ['drain', 'close', 'cancelled'].map((event) => once(call, event, { signal }));
  await Promise.race(left).finally(() => over.abort());
}
