import { done } from '@pawl/contracts';
import type { JsonValue } from '@pawl/contracts';
import type { SchemaValidator, ValidationOutcome } from '@pawl/engine';

/** The schemas of simulated worlds: what `limit` may be at most. */
export interface SmallSchema {
  readonly properties: { readonly limit: { readonly type: 'number'; readonly maximum: number } };
}

export function smallSchema(maximum: number): SmallSchema {
  return { properties: { limit: { type: 'number', maximum } } };
}

/** Whether a document satisfies one of them; that of release policies says nothing of limits. */
export function satisfies(schema: JsonValue, document: JsonValue): boolean {
  const { properties } = schema as unknown as { properties: Partial<SmallSchema['properties']> };
  const { maximum = Infinity } = properties.limit ?? {};
  const { limit } = document as { readonly limit?: JsonValue };
  return limit === undefined || (typeof limit === 'number' && limit <= maximum);
}

/** Judges by {@link satisfies}, at once: a world has no threads. */
export const smallValidator: SchemaValidator = {
  prepare: () => Promise.resolve(done(undefined)),
  validate: (schema, document): Promise<ValidationOutcome> => {
    if (satisfies(schema.schema, document.value)) return Promise.resolve({ kind: 'valid' });
    const violation = { pointer: '/limit', keyword: 'maximum', message: 'too high' };
    return Promise.resolve({ kind: 'invalid', violations: [violation] });
  },
  close: () => Promise.resolve(),
};
