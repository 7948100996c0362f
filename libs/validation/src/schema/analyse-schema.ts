import {
  done,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  LIMITS,
  type Outcome,
  type ProblemError,
  refused,
} from '@pawl/contracts';

import { type ClosedSchema, closeSchema, referenceError } from './close-schema.js';
import { type Draft, draftOf } from './draft.js';
import { checkAgainstMetaSchema } from './meta-schemas.js';
import { ReferenceIndex } from './reference-index.js';

/** More subschemas than any schema within the size limit needs, unless it multiplies itself. */
const MAX_NODES = 200_000;

/** A schema that is understood and may be compiled. */
export interface SchemaPlan {
  readonly draft: Draft;
  readonly closed: ClosedSchema;
}

/**
 * Understands a schema without compiling it. Problems: `schema-draft`, `schema-invalid` (with every
 * place that the draft's meta-schema refuses), `schema-reference`, and `too-large` for one that has
 * more than `maxNodes` subschemas once references are followed.
 */
export function analyseSchema(schema: JsonValue, maxNodes = MAX_NODES): Outcome<SchemaPlan> {
  const draft = draftOf(schema);
  if (draft === undefined) return unknownDraft(schema);
  const violations = checkAgainstMetaSchema(schema, draft);
  if (violations.length > 0) {
    return refused('schema-invalid', `The schema is not a valid ${draft} schema; correct it.`, {
      errors: violations.map((violation) => ({ address: '', ...violation })),
    });
  }
  const index = new ReferenceIndex(isJsonObject(schema) ? schema : asObject(schema), draft);
  const outside = referencesOutside(index);
  if (outside.length > 0) return leadsAway(outside);
  return close(index, { draft, maxNodes });
}

function close(
  index: ReferenceIndex,
  options: { readonly draft: Draft; readonly maxNodes: number },
): Outcome<SchemaPlan> {
  const { draft, maxNodes } = options;
  const closing = closeSchema(index, options);
  switch (closing.kind) {
    case 'closed':
      return done({ draft, closed: closing.closed });
    case 'too-many':
      return refused(
        'too-large',
        `The schema has more than ${maxNodes} subschemas once its references are followed; ` +
          'refer to definitions that do not contain each other.',
      );
    case 'outside':
      return leadsAway(closing.errors);
    case 'dangling':
      return refused(
        'schema-reference',
        'A reference leads to nothing in the schema; correct it or add what it names.',
        { errors: closing.errors.slice(0, LIMITS.errors) },
      );
  }
}

/** `true` and `false` in words: the meta-schemas let nothing else pass that is no object. */
function asObject(schema: JsonValue): JsonObject {
  return schema === true ? {} : { not: {} };
}

/** Also where nothing leads from the root: nothing of a schema depends on what is elsewhere. */
function referencesOutside(index: ReferenceIndex): ProblemError[] {
  return index.references
    .filter(({ value, resource }) => index.resolve(resource, value) === 'outside')
    .map(({ pointer, value }) => {
      const keyword = pointer.slice(pointer.lastIndexOf('/') + 1);
      return referenceError(pointer, keyword, value, 'outside');
    });
}

function leadsAway(errors: readonly ProblemError[]): Outcome<never> {
  return refused(
    'schema-reference',
    'A reference leads out of the schema, and nothing is fetched; copy what it names into $defs.',
    { errors: errors.slice(0, LIMITS.errors) },
  );
}

function unknownDraft(schema: JsonValue): Outcome<never> {
  if (!isJsonObject(schema)) {
    return refused('schema-invalid', 'A schema is a JSON object or a boolean.', {
      errors: [{ address: '', pointer: '', keyword: 'type', message: 'must be object or boolean' }],
    });
  }
  const named = JSON.stringify(schema['$schema']).slice(0, 200);
  const message = `${named} is not draft-07, 2019-09 or 2020-12`;
  return refused(
    'schema-draft',
    'Write the schema in draft-07, 2019-09 or 2020-12, and say which in $schema, for example ' +
      '"https://json-schema.org/draft/2020-12/schema".',
    { errors: [{ address: '', pointer: '/$schema', keyword: '$schema', message }] },
  );
}
