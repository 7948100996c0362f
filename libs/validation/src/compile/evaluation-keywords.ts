import {
  _,
  type AnySchemaObject,
  type Code,
  type CodeKeywordDefinition,
  type KeywordCxt,
  Name,
  nil,
} from 'ajv';
import { assert } from '@pawl/kernel';
import { resolveRef, SchemaEnv } from 'ajv/dist/compile/index.js';
import { Type } from 'ajv/dist/compile/util.js';
import { callValidateCode } from 'ajv/dist/vocabularies/code.js';

import { CONTAINED } from '../schema/own-keywords.js';
import { type ClosedSubschema, MAX_WIDTH } from '../schema/suit-ajv.js';

/** Errors of failed alternatives of a long `oneOf` that are kept: fewer than are ever shown. */
const ATTEMPTS_SHOWN = 20;

/**
 * `oneOf`, `contains` and `unevaluatedItems` in the place of ajv's, whose code for `oneOf` nests as
 * deep as the list is long; whose `contains` takes every item as evaluated, and says of an empty
 * array in a loop what it said of the array before; and whose `unevaluatedItems` refuses arrays that
 * turn out to be evaluated as a whole.
 */
export const EVALUATION_KEYWORDS: readonly CodeKeywordDefinition[] = [
  {
    keyword: 'oneOf',
    schemaType: 'array',
    trackErrors: true,
    error: { message: '', params: (cxt) => _`{ passingSchemas: ${cxt.params['passing']} }` },
    code: countMatches,
  },
  {
    keyword: 'contains',
    type: 'array',
    schemaType: ['object', 'boolean'],
    trackErrors: true,
    error: {
      message: '',
      params: ({ parentSchema }) => {
        const most = maximumOf(parentSchema);
        const max = most === undefined ? nil : _`, maxContains: ${most}`;
        return _`{ minContains: ${minimumOf(parentSchema)}${max} }`;
      },
    },
    code: countContained,
  },
  {
    keyword: 'unevaluatedItems',
    type: 'array',
    schemaType: ['object', 'boolean'],
    trackErrors: true,
    error: { message: '', params: (cxt) => cxt.params['place'] as Code },
    code: checkUnevaluatedItems,
  },
];

function countMatches(cxt: KeywordCxt): void {
  const { gen } = cxt;
  const branches = cxt.schema as readonly ClosedSubschema[];
  const passing = gen.const('passing', _`[]`);
  cxt.setParams({ passing });
  if (branches.length > MAX_WIDTH) matchInLoop(cxt, branches, passing);
  else for (const at of branches.keys()) matchBranch(cxt, at, passing);
  cxt.result(
    _`${passing}.length === 1`,
    () => cxt.reset(),
    () => {
      gen.if(_`${passing}.length > 1`, () => cxt.reset());
      cxt.error(true);
    },
  );
}

function matchBranch(cxt: KeywordCxt, schemaProp: number, passing: Name): void {
  const { gen } = cxt;
  const valid = gen.name('_valid');
  const branch = cxt.subschema({ keyword: 'oneOf', schemaProp, compositeRule: true }, valid);
  gen.if(valid, () => {
    gen.code(_`${passing}.push(${schemaProp})`);
    cxt.mergeEvaluated(branch, Name);
  });
}

/** The time that ajv takes to compile a schema is quadratic in the references it has side by side. */
function matchInLoop(cxt: KeywordCxt, branches: readonly ClosedSubschema[], passing: Name): void {
  const { gen, it } = cxt;
  const ref = branches.map((branch) => compiledBranch(cxt, branch));
  const all = gen.scopeValue('obj', { ref });
  const first = _`${cxt.errsCount} + ${ATTEMPTS_SHOWN}`;
  gen.forRange('at', 0, ref.length, (at) => {
    const validate = gen.const('branch', _`${all}[${at}].validate`);
    const holds = (): void => {
      gen.code(_`${passing}.push(${at})`);
      if (it.opts.unevaluated !== true) return;
      const props = gen.var('props', _`${validate}.evaluated?.props`);
      const items = gen.var('items', _`${validate}.evaluated?.items`);
      cxt.mergeEvaluated({ ...it, props, items }, Name);
    };
    const fails = (): void => {
      gen.if(_`errors < ${first}`, () => {
        gen.assign(_`vErrors`, _`(vErrors ?? []).concat(${validate}.errors)`);
        gen.assign(_`errors`, _`vErrors.length`);
      });
    };
    gen.if(callValidateCode(cxt, validate, nil), holds, fails);
  });
}

/** What has the `validate` of a branch once that is compiled: recursive ones are only later. */
function compiledBranch({ it }: KeywordCxt, branch: ClosedSubschema): { validate?: unknown } {
  if (typeof branch === 'boolean') {
    return { validate: Object.assign(() => branch, { errors: [] }) };
  }
  const { root } = it.schemaEnv;
  const found: unknown = resolveRef.call(it.self, root, it.baseId, branch['$ref'] as string);
  assert(found instanceof SchemaEnv, 'every branch of a wide oneOf is a definition of its own');
  return found;
}

/** Counts no further than it must. Notes nothing as evaluated: see {@link CONTAINED}. */
function countContained(cxt: KeywordCxt): void {
  const { gen, parentSchema } = cxt;
  const min = minimumOf(parentSchema);
  const max = maximumOf(parentSchema);
  const count = gen.let('count', 0);
  const enough = max === undefined ? _`${count} >= ${min}` : _`${count} > ${max}`;
  forItems(cxt, 0, (index) => {
    const valid = checkItem(cxt, { keyword: 'contains', index, compositeRule: true });
    gen.if(valid, () => gen.code(_`${count}++`).if(enough, () => gen.break()));
  });
  const holds = max === undefined ? enough : _`${count} >= ${min} && ${count} <= ${max}`;
  cxt.result(holds, () => cxt.reset());
}

function minimumOf(schema: AnySchemaObject | undefined): number {
  return (schema?.['minContains'] as number | undefined) ?? 1;
}

function maximumOf(schema: AnySchemaObject | undefined): number | undefined {
  return schema?.['maxContains'] as number | undefined;
}

function checkUnevaluatedItems(cxt: KeywordCxt): void {
  const { gen, data, it } = cxt;
  const seen = it.items;
  it.items = true;
  if (seen === true || cxt.schema === true) return;
  const length = _`${data}.length`;
  const start = seen instanceof Name ? _`${seen} === true ? ${length} : ${seen}` : _`${seen ?? 0}`;
  const from = gen.const('from', start);
  const contained = containedItems(cxt, from);
  if (contained === undefined && cxt.schema === false) {
    cxt.setParams({ place: _`{ limit: ${from} }` });
    cxt.fail(_`${length} > ${from}`);
    return;
  }
  forItems(cxt, from, (index) => {
    const check = (): void => checkUnevaluated(cxt, index);
    if (contained === undefined) check();
    else gen.if(_`!${contained}.has(${index})`, check);
  });
  cxt.ok(_`${cxt.errsCount} === errors`);
}

/** The set of the items from `from` on that some `contains` has evaluated. */
function containedItems(cxt: KeywordCxt, from: Name): Name | undefined {
  const list = cxt.parentSchema[CONTAINED] as readonly unknown[] | undefined;
  if (list === undefined) return undefined;
  const { gen } = cxt;
  const contained = gen.const('contained', _`new Set()`);
  for (let at = 0; at < list.length; at += 2) {
    const holds = gen.name('_valid');
    cxt.subschema({ keyword: CONTAINED, schemaProp: at, compositeRule: true }, holds);
    gen.if(holds, () => {
      forItems(cxt, from, (index) => {
        const place = { keyword: CONTAINED, schemaProp: at + 1, index, compositeRule: true };
        gen.if(checkItem(cxt, place), () => gen.code(_`${contained}.add(${index})`));
      });
    });
  }
  cxt.reset();
  return contained;
}

function checkUnevaluated(cxt: KeywordCxt, index: Name): void {
  const { gen } = cxt;
  const stop = (): void => void (cxt.allErrors === true ? undefined : gen.break());
  if (cxt.schema === false) {
    cxt.setParams({ place: _`{ index: ${index} }` });
    cxt.error();
    stop();
  } else {
    gen.if(_`!${checkItem(cxt, { keyword: 'unevaluatedItems', index })}`, stop);
  }
}

function forItems(cxt: KeywordCxt, from: Name | number, check: (index: Name) => void): void {
  cxt.gen.forRange('i', from, _`${cxt.data}.length`, check);
}

interface ItemCheck {
  readonly keyword: string;
  readonly schemaProp?: number;
  readonly index: Name;
  readonly compositeRule?: boolean;
}

function checkItem(cxt: KeywordCxt, { index, compositeRule, ...schema }: ItemCheck): Name {
  const valid = cxt.gen.name('_valid');
  const place = { ...schema, dataProp: index, dataPropType: Type.Num };
  cxt.subschema(compositeRule === true ? { ...place, compositeRule } : place, valid);
  return valid;
}
