import { canonicalize, type JsonObject } from '@pawl/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createSchemaValidator } from './schema-validator.js';
import { documents, schemas } from './testing/arbitraries.js';
import { buildWorker } from './testing/build-worker.js';
import { plainlyValid } from './testing/plain-validator.js';
import { documentRef, schemaRef } from './testing/refs.js';

/** Some are the names of methods. */
const KEYS = ['a', 'b', 'toString', ''];

function some(keys: readonly string[]): fc.Arbitrary<JsonObject[]> {
  return fc.array(documents(keys), { minLength: 3, maxLength: 3 });
}

describe('what is made of a schema', () => {
  const using = createSchemaValidator({ workers: 1 });

  beforeAll(buildWorker, 60_000);
  afterAll(() => using.close());

  it('says what the specification says of the schema itself', async () => {
    const seen = { valid: 0, invalid: 0, timeout: 0 };
    await fc.assert(
      fc.asyncProperty(schemas(KEYS), some(KEYS), async (source, samples) => {
        const ref = schemaRef(source);
        for (const sample of samples) {
          const expected = withoutEnd(() => plainlyValid(source, sample));
          fc.pre(expected !== undefined);
          const outcome = await using.validate(ref, documentRef(sample));
          expect(outcome.kind, canonicalize(sample)).toBe(expected ? 'valid' : 'invalid');
          seen[outcome.kind] += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(seen.valid).toBeGreaterThan(100);
    expect(seen.invalid).toBeGreaterThan(100);
  });
});

/** `undefined`: the schema refers to itself for ever. */
function withoutEnd(decide: () => boolean): boolean | undefined {
  try {
    return decide();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

describe('where a validation runs', () => {
  const here = createSchemaValidator();
  const there = createSchemaValidator({ workers: 1, localSchemaCharacters: 0 });

  beforeAll(buildWorker, 60_000);
  afterAll(async () => {
    await Promise.all([here.close(), there.close()]);
  });

  it('never changes what comes out', async () => {
    const seen = { valid: 0, invalid: 0, timeout: 0 };
    await fc.assert(
      fc.asyncProperty(schemas(KEYS), some(KEYS), async (source, samples) => {
        const ref = schemaRef(source);
        expect(await here.prepare(ref)).toEqual(await there.prepare(ref));
        for (const sample of samples) {
          const outcome = await here.validate(ref, documentRef(sample));
          expect(await there.validate(ref, documentRef(sample))).toEqual(outcome);
          seen[outcome.kind] += 1;
        }
      }),
      { numRuns: 200 },
    );
    expect(seen.valid).toBeGreaterThan(50);
    expect(seen.invalid).toBeGreaterThan(50);
  }, 120_000);
});
