import { canonicalize, isJsonObject, LIMITS, utf8Length } from '@pawl/contracts';
import type { JsonObject, JsonValue, Sha256, SnapshotVariant } from '@pawl/contracts';
import { messageOf } from '../errors.js';
import { deepFreeze } from './deep-freeze.js';
import type { VariantContent } from './last-known-good.js';

export type DecodedContent =
  | { readonly ok: true; readonly content: VariantContent; readonly document: JsonObject }
  | { readonly ok: false; readonly message: string };

type Expected = Pick<SnapshotVariant, 'hash' | 'size'>;

/**
 * Checks that `text` is the canonical JSON object that a variant names by hash and size, and hands
 * out the deeply frozen document.
 */
export function decodeContent(text: string, expected: Expected, sha256: Sha256): DecodedContent {
  const wrong = checkBytes(text, expected, sha256);
  if (wrong !== undefined) return { ok: false, message: wrong };
  try {
    const value = JSON.parse(text) as JsonValue;
    if (canonicalize(value) !== text) return { ok: false, message: 'is not canonical JSON' };
    return frozenObject(value, text, expected);
  } catch (thrown) {
    return { ok: false, message: `is not a document: ${messageOf(thrown)}` };
  }
}

/** The same for a document that travelled inside its snapshot. Freezes `inline` itself. */
export function adoptInline(inline: JsonValue, expected: Expected, sha256: Sha256): DecodedContent {
  try {
    const text = canonicalize(inline);
    const wrong = checkBytes(text, expected, sha256);
    return wrong === undefined
      ? frozenObject(inline, text, expected)
      : { ok: false, message: wrong };
  } catch (thrown) {
    return { ok: false, message: `is not a document: ${messageOf(thrown)}` };
  }
}

function checkBytes(text: string, expected: Expected, sha256: Sha256): string | undefined {
  const size = utf8Length(text);
  if (size > LIMITS.effectiveBytes)
    return `has ${size} bytes, at most ${LIMITS.effectiveBytes} are allowed`;
  if (size !== expected.size) return `has ${size} bytes, ${expected.size} were announced`;
  const hash = sha256(text);
  return hash === expected.hash ? undefined : `hashes to ${hash}, ${expected.hash} was announced`;
}

function frozenObject(value: JsonValue, text: string, expected: Expected): DecodedContent {
  if (!isJsonObject(value)) return { ok: false, message: 'is not a JSON object' };
  const content = { hash: expected.hash, size: expected.size, absent: false, text };
  return { ok: true, content, document: deepFreeze(value) };
}
