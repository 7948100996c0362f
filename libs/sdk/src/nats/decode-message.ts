import type { Push, Snapshot } from '@pawl/contracts';
import { parseMessage } from '@pawl/contracts/validate';
import type { MessageKind, Messages } from '@pawl/contracts/validate';
import { messageOf } from '../errors.js';

export type Decoded<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

/** A message of `kind` from its bytes; what is wrong with it otherwise. */
export function decodeMessage<K extends MessageKind>(
  kind: K,
  data: Uint8Array,
): Decoded<Messages[K]> {
  try {
    return parseMessage(kind, JSON.parse(textOf(data)) as unknown);
  } catch (thrown) {
    return { ok: false, message: `${kind} is not JSON: ${messageOf(thrown)}` };
  }
}

export interface DecodedPush {
  readonly push: Push;
  /** Set when the push carries a snapshot. */
  readonly snapshot?: Snapshot;
}

/** A push and the snapshot in it. */
export function decodePush(data: Uint8Array): Decoded<DecodedPush> {
  const push = decodeMessage('push', data);
  if (!push.ok) return push;
  if (push.value.snapshot === undefined) return { ok: true, value: { push: push.value } };
  const snapshot = parseMessage('snapshot', push.value.snapshot);
  return snapshot.ok
    ? { ok: true, value: { push: push.value, snapshot: snapshot.value } }
    : snapshot;
}

export function textOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
}
