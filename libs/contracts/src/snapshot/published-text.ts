import { canonicalize } from '../json/canonicalize.js';
import type { JsonValue } from '../json/json-value.js';
import { pushOf } from '../messages/push.message.js';
import type { Push } from '../messages/push.message.js';
import type { Snapshot } from '../messages/snapshot.message.js';
import type { Sha256 } from '../sha256.js';

/**
 * A snapshot as it is published: canonical JSON, so that a consumer can check its hash by hashing the
 * text that arrived. Any other JSON of the same snapshot is as good, only slower to check.
 */
export function snapshotText(snapshot: Snapshot): string {
  return canonicalize({ ...snapshot } as Record<string, JsonValue>);
}

/** The push of a snapshot as it is published; `text` is its {@link snapshotText}. */
export function pushText(snapshot: Snapshot, text: string): string {
  const { snapshot: carried, ...push } = pushOf(snapshot, text.length);
  return carried === undefined ? JSON.stringify(push) : `${pushHead(push)}${text}}`;
}

/** The text of the snapshot in a push that {@link pushText} wrote, `undefined` for any other text. */
export function snapshotTextIn(text: string, push: Push): string | undefined {
  const head = pushHead(push);
  return text.startsWith(head) ? text.slice(head.length, -1) : undefined;
}

/**
 * Whether `text` is the published form of `snapshot`, which was parsed from it, and hashes to what the
 * snapshot claims. `false` says nothing: the text may have another form.
 *
 * Everything up to the member `releases` is compared with what was parsed, and all but the members
 * that the hash leaves out is hashed, so that no text passes whose parsed value differs from what the
 * claimed hash was made of.
 */
export function provesItsHash(snapshot: Snapshot, text: string, sha256: Sha256): boolean {
  const { address, fencingToken, format, generation, hash, inputs, publishedAt } = snapshot;
  const start = `{"address":${JSON.stringify(address)},`;
  const token = `"fencingToken":${JSON.stringify(fencingToken)},`;
  const numbers = `"format":${format},"generation":${generation},`;
  const claim = `"hash":${JSON.stringify(hash)},`;
  const origin = `"inputs":${JSON.stringify(inputs)},"installation":${JSON.stringify(snapshot.installation)},`;
  const time = `"publishedAt":${JSON.stringify(publishedAt)},`;
  const head = start + token + numbers + claim + origin + time;
  if (!text.startsWith(head)) return false;
  return sha256(start + numbers + origin + text.slice(head.length)) === hash;
}

function pushHead({ format, address, generation, version, hash }: Omit<Push, 'snapshot'>): string {
  const head = JSON.stringify({ format, address, generation, version, hash });
  return `${head.slice(0, -1)},"snapshot":`;
}
