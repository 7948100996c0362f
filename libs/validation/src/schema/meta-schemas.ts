import type { JsonObject, JsonValue } from '@pawl/contracts';
import { Ajv, type Options, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';

import { violationsOf } from '../compile/describe-violation.js';
import { installKeywords } from '../compile/keywords.js';
import { Meter } from '../compile/meter.js';
import type { Violation } from '@pawl/engine';
import type { Draft } from './draft.js';

const META_SCHEMA_ID: Readonly<Record<Draft, string>> = {
  'draft-07': 'http://json-schema.org/draft-07/schema',
  '2019-09': 'https://json-schema.org/draft/2019-09/schema',
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
};

type AjvClass = new (options: Options) => Ajv;

/** The validator class of each draft. */
export const AJV_CLASS: Readonly<Record<Draft, AjvClass>> = {
  'draft-07': Ajv,
  '2019-09': Ajv2019,
  '2020-12': Ajv2020,
};

const instances = new Map<Draft, Ajv>();

/** Holds the standard meta-schemas and nothing of any user. */
function metaAjv(draft: Draft): Ajv {
  let ajv = instances.get(draft);
  if (ajv === undefined) {
    ajv = new AJV_CLASS[draft]({
      strict: false,
      allErrors: true,
      verbose: true,
      messages: false,
      logger: false,
      validateFormats: false,
      code: { optimize: false },
    });
    installKeywords(ajv, new Meter());
    instances.set(draft, ajv);
  }
  return ajv;
}

/** The draft's own meta-schema and its parts, as published. */
export function metaSchemasOf(draft: Draft): JsonObject[] {
  const schemas: JsonObject[] = [];
  for (const known of Object.values(metaAjv(draft).schemas)) {
    if (typeof known?.schema === 'object') schemas.push(known.schema);
  }
  return schemas;
}

/** Where a schema breaks its draft's meta-schema; empty when nowhere. */
export function checkAgainstMetaSchema(schema: JsonValue, draft: Draft): readonly Violation[] {
  const validate = metaAjv(draft).getSchema(META_SCHEMA_ID[draft]) as ValidateFunction;
  return validate(schema) ? [] : violationsOf(validate.errors ?? []);
}
