import type { JsonArray, JsonValue } from '@pawl/contracts';
import { _, type Ajv, type Code, type CodeKeywordDefinition, type KeywordCxt } from 'ajv';

import { METER, METER_KEYS } from '../schema/own-keywords.js';
import { EVALUATION_KEYWORDS } from './evaluation-keywords.js';
import { identityOf } from './identity.js';
import type { Meter } from './meter.js';
import { isMultipleOf } from './multiple-of.js';

/** Work of a comparison that writes out the whole value: a unit for so many characters. */
const CHARACTERS_PER_UNIT = 32;
const MULTIPLE_OF_UNITS = 20;
/** Ajv copies its list of errors at each reference: a long one takes quadratic time. */
const MAX_ERRORS = 1_000;

/**
 * Replaces the keywords whose own implementation may take quadratic time (`uniqueItems`) or stumbles
 * over keys such as `valueOf` (`enum`, `const`) or over decimal fractions (`multipleOf`), or over
 * what has been evaluated ({@link EVALUATION_KEYWORDS}), and adds the meter's.
 */
export function installKeywords(ajv: Ajv, meter: Meter): void {
  for (const definition of [...keywordsOf(meter), ...EVALUATION_KEYWORDS]) {
    ajv.removeKeyword(definition.keyword as string);
    ajv.addKeyword(definition);
  }
}

function keywordsOf(meter: Meter): CodeKeywordDefinition[] {
  const call = (cxt: KeywordCxt, ref: (value: never) => unknown): Code =>
    _`${cxt.gen.scopeValue('func', { ref })}(${cxt.data})`;
  const error = { message: '', params: _`{}` };
  return [
    {
      keyword: METER,
      schemaType: 'number',
      before: '$ref',
      code(cxt) {
        countVisit(cxt, meter);
        if (cxt.it.opts.unevaluated) noteNothingEvaluated(cxt);
      },
    },
    { keyword: METER_KEYS, type: 'object', code: (cxt) => countKeys(cxt, meter) },
    {
      keyword: 'enum',
      schemaType: 'array',
      error,
      code: (cxt) => cxt.fail(_`!${call(cxt, oneOf(cxt.schema as JsonArray, meter))}`),
    },
    {
      keyword: 'const',
      error,
      code: (cxt) => cxt.fail(_`!${call(cxt, oneOf([cxt.schema as JsonValue], meter))}`),
    },
    {
      keyword: 'multipleOf',
      type: 'number',
      schemaType: 'number',
      error,
      code: (cxt) => cxt.fail(_`!${call(cxt, multipleOf(cxt.schema as number, meter))}`),
    },
    {
      keyword: 'uniqueItems',
      type: 'array',
      schemaType: 'boolean',
      error: { message: '', params: (cxt) => _`{ items: ${cxt.params['items']} }` },
      code(cxt) {
        if (cxt.schema === false) return;
        const items = cxt.gen.const('items', call(cxt, equalItems(meter)));
        cxt.setParams({ items });
        cxt.fail(_`${items} !== undefined`);
      },
    },
  ];
}

/** A visit costs its keywords, and the length of a string: lengths, formats, enums read it. */
function countVisit(cxt: KeywordCxt, meter: Meter): void {
  const { gen, data, it } = cxt;
  const ours = gen.scopeValue('obj', { ref: meter });
  const cost = _`${cxt.schema as number} + (typeof ${data} == "string" ? ${data}.length >> 4 : 0)`;
  const stop = (): void => void gen.code(_`${ours}.stop()`);
  gen.if(_`(${ours}.left -= ${cost}) < 0`, stop);
  if (it.allErrors) gen.if(_`errors > ${MAX_ERRORS}`, stop);
}

/**
 * Starts each visit with nothing evaluated. Left alone, ajv declares these notes inside the first
 * alternative that has some: they are then missing, or another value's, where that one fails; and
 * in a plain object `constructor` would seem evaluated.
 */
function noteNothingEvaluated({ gen, it }: KeywordCxt): void {
  it.props ??= gen.var('props', _`Object.create(null)`);
  it.items ??= gen.var('items', 0);
}

function countKeys(cxt: KeywordCxt, meter: Meter): void {
  const ours = cxt.gen.scopeValue('obj', { ref: meter });
  cxt.gen.code(_`${ours}.spend(Object.keys(${cxt.data}).length)`);
}

function oneOf(allowed: JsonArray, meter: Meter): (value: JsonValue) => boolean {
  const isSimple = (value: JsonValue): boolean => typeof value !== 'object' || value === null;
  const simple = new Set(allowed.filter(isSimple));
  const composed = new Set(allowed.filter((value) => !isSimple(value)).map(identityOf));
  return (value) => {
    if (isSimple(value)) return simple.has(value);
    return composed.size > 0 && composed.has(meteredIdentity(value, meter));
  };
}

function multipleOf(divisor: number, meter: Meter): (value: number) => boolean {
  return (value) => {
    if (!Number.isSafeInteger(value)) meter.spend(MULTIPLE_OF_UNITS);
    return isMultipleOf(value, divisor);
  };
}

function equalItems(meter: Meter): (items: JsonArray) => readonly [number, number] | undefined {
  return (items) => {
    const seen = new Map<string, number>();
    for (const [index, item] of items.entries()) {
      const identity = meteredIdentity(item, meter);
      const earlier = seen.get(identity);
      if (earlier !== undefined) return [earlier, index];
      seen.set(identity, index);
    }
    return undefined;
  };
}

function meteredIdentity(value: JsonValue, meter: Meter): string {
  const identity = identityOf(value);
  meter.spend(1 + Math.floor(identity.length / CHARACTERS_PER_UNIT));
  return identity;
}
