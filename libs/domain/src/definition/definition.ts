import type { AddressText, JsonObject, JsonValue, MergeOrigin } from '@pawl/contracts';

/** A JSON Schema of one definition version, with the hash that names it in caches. */
export interface SchemaRef {
  /** SHA-256 of the schema's canonical bytes. */
  readonly hash: string;
  readonly schema: JsonValue;
}

/** A document as parsed, with its canonical bytes and their hash. */
export interface DocumentRef {
  readonly hash: string;
  /** RFC 8785 canonical JSON. */
  readonly text: string;
  readonly value: JsonObject;
}

/** One immutable definition version of an address. */
export interface Definition {
  readonly address: AddressText;
  readonly version: number;
  /** `null`: abstract, only its schema counts. */
  readonly document: DocumentRef | null;
  readonly schema: SchemaRef | null;
  readonly author: string;
  /** RFC 3339 with milliseconds. */
  readonly createdAt: string;
  readonly message?: string;
  /** Set when it was merged from another address. */
  readonly origin?: MergeOrigin;
}
