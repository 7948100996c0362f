import { createHash } from 'node:crypto';

import { canonicalize, type JsonObject, type JsonValue } from '@pawl/contracts';
import type { DocumentRef, SchemaRef } from '@pawl/domain';

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

export function schemaRef(schema: JsonValue): SchemaRef {
  return { hash: hashOf(canonicalize(schema)), schema };
}

/** The value has the order of keys of the canonical text, as a worker reads it. */
export function documentRef(value: JsonObject): DocumentRef {
  const text = canonicalize(value);
  return { hash: hashOf(text), text, value: JSON.parse(text) as JsonObject };
}
