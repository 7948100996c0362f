import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import * as contracts from '../index.js';
import { previewRequestSchema } from '../rest/preview-views.js';
import { releaseRequestSchema } from '../rest/views.js';
import { compileShape } from './compile-shape.js';

const schemaOfSchemas = new Ajv();

const STAGE = '/strategy/stages/0';
const promote = (strategy: unknown) => ({ action: 'promote', strategy });

describe('compileShape', () => {
  const check = compileShape(releaseRequestSchema);

  it('answers nothing for what is of the shape', () => {
    expect(check({ action: 'promote', targetVersion: 3, force: false })).toEqual([]);
    for (const strategy of ['canary', { preset: 'linear', stepPercent: 12.5, bakeMs: 0 }]) {
      expect(check(promote(strategy))).toEqual([]);
    }
    const stages = [{ count: 1 }, { percent: 0.5, selector: { region: ['eu'] } }, { percent: 100 }];
    expect(check(promote({ stages, gates: [{ kind: 'lost', percent: 2 }] }))).toEqual([]);
    expect(compileShape(previewRequestSchema)({ document: {}, schema: true })).toEqual([]);
  });

  it.each([
    [{}, '', 'required', "must have required property 'action'"],
    [{ action: 1 }, '/action', 'type', 'must be string'],
    [{ action: 'promote', targetVersion: 0 }, '/targetVersion', 'minimum', 'must be >= 1'],
    [{ action: 'promote', targetVersion: 1.5 }, '/targetVersion', 'type', 'must be integer'],
    [{ action: 'a', x: 1 }, '', 'additionalProperties', 'must not have the key "x"'],
    [[], '', 'type', 'must be object'],
    [null, '', 'type', 'must be object'],
    [promote(7), '/strategy', 'type', 'must be string or object'],
    [promote(null), '/strategy', 'type', 'must be string or object'],
    [promote({ steps: 2 }), '/strategy', 'additionalProperties', 'must not have the key "steps"'],
    [
      promote({ preset: 'slow' }),
      '/strategy/preset',
      'enum',
      'must be one of ["all-at-once","canary","linear","exponential"]',
    ],
    [promote({ stages: [] }), '/strategy/stages', 'minItems', 'must NOT have fewer than 1 items'],
    [promote({ stages: [{ percent: 101 }] }), `${STAGE}/percent`, 'maximum', 'must be <= 100'],
    [promote({ stages: [{ percent: 0 }] }), `${STAGE}/percent`, 'exclusiveMinimum', 'must be > 0'],
    [promote({ stages: [{ count: 0.5 }] }), `${STAGE}/count`, 'type', 'must be integer'],
    [
      promote({ stages: [{ selector: { region: 'eu' } }] }),
      `${STAGE}/selector/region`,
      'type',
      'must be array',
    ],
    [
      promote({ gates: [{ limit: 1 }] }),
      '/strategy/gates/0',
      'required',
      "must have required property 'kind'",
    ],
  ])('says what is wrong with %j', (value, pointer, keyword, message) => {
    expect(check(value)).toEqual([{ pointer, keyword, message }]);
  });

  it('stays short for a value with a great many faults', () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, 1]));
    expect(check({ ...many, action: 'promote' })).toHaveLength(1);
    expect(check({ action: 'a', ['k'.repeat(5000)]: 1 })[0]?.message.length).toBeLessThan(100);
  });

  it('compiles every shape of messages and of the REST API', () => {
    const schemas = Object.entries(contracts).filter(([name]) => name.endsWith('Schema'));
    expect(schemas.length).toBeGreaterThan(20);
    for (const [name, schema] of schemas) {
      expect(schemaOfSchemas.validateSchema(schema as object), name).toBe(true);
      expect(() => compileShape(schema as object)(null), name).not.toThrow();
    }
  });

  it('throws for a schema that is not one', () => {
    const wrong = { type: 'strnig' };
    expect(schemaOfSchemas.validateSchema(wrong)).toBe(false);
    expect(() => compileShape(wrong)(null)).toThrow(/strnig/);
  });
});
