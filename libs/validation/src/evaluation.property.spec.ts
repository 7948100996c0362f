import type { JsonObject, JsonValue } from '@pawl/contracts';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { compileSchema } from './compile/compile-schema.js';
import { UNLIMITED } from './compile/meter.js';
import { analyseSchema } from './schema/analyse-schema.js';
import { evaluationSchemas, evaluationValues } from './testing/evaluation-arbitraries.js';
import { plainlyValid } from './testing/plain-validator.js';

type Validate = (value: JsonValue) => boolean;

function ours(schema: JsonObject): Validate {
  const plan = analyseSchema(schema);
  if (!plan.ok) throw new Error(JSON.stringify(plan.problem));
  const compiled = compileSchema(plan.value);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problem));
  return (value) => {
    const valid = compiled.value.check(value, UNLIMITED).length === 0;
    expect(compiled.value.explain(value, UNLIMITED).length === 0).toBe(valid);
    return valid;
  };
}

/**
 * Ajv as it comes, where it keeps to the specification: not with `if` and `contains`, whose notes it
 * gets wrong, nor with a list of items or patterns of names in an alternative, where it takes over what an
 * alternative that fails has noted; and it knows no `$dynamicRef` by URI.
 */
function stock(schema: JsonObject): Validate | undefined {
  const text = JSON.stringify(schema);
  if (/"(if|contains|\$dynamicRef)"/.test(text)) return undefined;
  const hasAlternatives = /"(anyOf|oneOf)"/.test(text);
  if (hasAlternatives && /"(prefixItems|patternProperties)"/.test(text)) return undefined;
  const ajv = new Ajv2020({ strict: false, logger: false, validateSchema: false });
  return ajv.compile(structuredClone(schema)) as Validate;
}

const samples = fc.array(evaluationValues, { minLength: 8, maxLength: 8 });

describe('what has been evaluated', () => {
  it('is what the specification says, and what ajv says where it is right', () => {
    const seen = { valid: 0, invalid: 0, compared: 0 };
    fc.assert(
      fc.property(evaluationSchemas, samples, (schema, values) => {
        const validate = ours(schema);
        const reference = stock(schema);
        for (const value of values) {
          const expected = plainlyValid(schema, value);
          expect(validate(value), JSON.stringify(value)).toBe(expected);
          seen[expected ? 'valid' : 'invalid'] += 1;
          if (reference === undefined) continue;
          expect(reference(value), `ajv: ${JSON.stringify(value)}`).toBe(expected);
          seen.compared += 1;
        }
      }),
      { numRuns: 400 },
    );
    expect(seen.valid).toBeGreaterThan(500);
    expect(seen.invalid).toBeGreaterThan(500);
    expect(seen.compared).toBeGreaterThan(50);
  }, 120_000);
});
