import { snapshotTextIn } from '@pawl/contracts';
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
  return parseText(kind, textOf(data));
}

function parseText<K extends MessageKind>(kind: K, text: string): Decoded<Messages[K]> {
  try {
    return parseMessage(kind, JSON.parse(text) as unknown);
  } catch (thrown) {
    return { ok: false, message: `${kind} is not JSON: ${messageOf(thrown)}` };
  }
}

export interface DecodedSnapshot {
  readonly snapshot: Snapshot;
  /** The JSON that it was parsed from, where that could be told. */
  readonly text?: string | undefined;
}

/** A snapshot as the stream holds it. */
export function decodeSnapshot(data: Uint8Array): Decoded<DecodedSnapshot> {
  const text = textOf(data);
  const snapshot = parseText('snapshot', text);
  return snapshot.ok ? { ok: true, value: { snapshot: snapshot.value, text } } : snapshot;
}

/** A push, and the snapshot when it carries one. */
export type DecodedPush = { readonly push: Push } & Partial<DecodedSnapshot>;

export function decodePush(data: Uint8Array): Decoded<DecodedPush> {
  const pushText = textOf(data);
  const parsed = parseText('push', pushText);
  if (!parsed.ok) return parsed;
  const push = parsed.value;
  if (push.snapshot === undefined) return { ok: true, value: { push } };
  const snapshot = parseMessage('snapshot', push.snapshot);
  if (!snapshot.ok) return snapshot;
  const text = snapshotTextIn(pushText, push);
  return { ok: true, value: { push, snapshot: snapshot.value, text } };
}

export function textOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
}
