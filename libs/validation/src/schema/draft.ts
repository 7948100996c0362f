import { isJsonObject, type JsonValue } from '@pawl/contracts';

/** The drafts of JSON Schema that a schema may be written in. */
export type Draft = 'draft-07' | '2019-09' | '2020-12';

const DRAFTS: ReadonlyMap<string, Draft> = new Map([
  ['json-schema.org/draft-07/schema', 'draft-07'],
  ['json-schema.org/draft/2019-09/schema', '2019-09'],
  ['json-schema.org/draft/2020-12/schema', '2020-12'],
]);

/**
 * The draft that `$schema` names, over http or https, with or without a trailing `#`; draft-07 when
 * nothing names one. `undefined` for any other.
 */
export function draftOf(schema: JsonValue): Draft | undefined {
  const named = isJsonObject(schema) ? schema['$schema'] : undefined;
  if (named === undefined) return 'draft-07';
  if (typeof named !== 'string') return undefined;
  return DRAFTS.get(named.replace(/^https?:\/\//, '').replace(/#$/, ''));
}
