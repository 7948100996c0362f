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

/** Pushes remembered: the newest of this many subjects, each up to this size. */
const REMEMBERED_SUBJECTS = 64;
const REMEMBERED_BYTES = 16 * 1024;

/**
 * Decodes pushes. The same message again, as it comes to each of several consumers in one process,
 * gives the same objects, so that they share what is verified and kept of it.
 */
export class PushDecoder {
  readonly #newest = new Map<string, { readonly bytes: Buffer; readonly decoded: DecodedPush }>();

  /** A push and the snapshot in it. */
  decode(subject: string, data: Uint8Array): Decoded<DecodedPush> {
    const there = this.#newest.get(subject);
    if (there !== undefined && there.bytes.equals(data)) return { ok: true, value: there.decoded };
    const decoded = decodePush(data);
    if (decoded.ok && data.length <= REMEMBERED_BYTES) this.#remember(subject, data, decoded.value);
    return decoded;
  }

  #remember(subject: string, data: Uint8Array, decoded: DecodedPush): void {
    this.#newest.delete(subject);
    this.#newest.set(subject, { bytes: Buffer.from(data), decoded });
    const [oldest] = this.#newest.keys();
    if (this.#newest.size > REMEMBERED_SUBJECTS && oldest !== undefined)
      this.#newest.delete(oldest);
  }
}

function decodePush(data: Uint8Array): Decoded<DecodedPush> {
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
