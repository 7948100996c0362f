import type { Outcome } from '@pawl/contracts';
import type { DocumentRef, SchemaRef } from '@pawl/domain';

/** One violation inside one document. */
export interface Violation {
  /** JSON Pointer (RFC 6901) of what is wrong; of the object that lacks a required key. */
  readonly pointer: string;
  readonly keyword: string;
  readonly message: string;
}

export type ValidationOutcome =
  | { readonly kind: 'valid' }
  /** At most 100 violations. */
  | { readonly kind: 'invalid'; readonly violations: readonly Violation[] }
  /** Validation was cut off at its deadline. */
  | { readonly kind: 'timeout'; readonly afterMs: number };

/** More is to be validated than can be just now; the same may succeed later. */
export class ValidationOverloadedError extends Error {
  override readonly name = 'ValidationOverloadedError';
}

/**
 * Users' schemas: draft-07 (also without `$schema`), 2019-09, 2020-12. No schema and no document can
 * hold up the event loop: what may take long runs elsewhere under a deadline. Compiled once per
 * schema hash, kept in a bounded cache.
 */
export interface SchemaValidator {
  /**
   * Checks that a schema can be used and compiles it. Problems: `schema-draft`, `schema-reference`,
   * `schema-invalid`, `too-large`, `too-deep`, `validation-timeout`.
   */
  prepare(schema: SchemaRef): Promise<Outcome<void>>;
  /** Throws {@link ValidationOverloadedError}. The document's `value` is what is validated; `text` is what travels to a worker. */
  validate(schema: SchemaRef, document: DocumentRef): Promise<ValidationOutcome>;
  close(): Promise<void>;
}
