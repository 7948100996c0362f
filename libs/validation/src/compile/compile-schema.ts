import { done, type JsonValue, type Outcome, type ProblemError, refused } from '@pawl/contracts';
import type { Violation } from '@pawl/engine';
import type { AnySchema, Options, ValidateFunction } from 'ajv';

import { compilePattern, type Pattern } from '../patterns/compile-pattern.js';
import type { SchemaPlan } from '../schema/analyse-schema.js';
import { AJV_CLASS } from '../schema/meta-schemas.js';
import { violationsOf } from './describe-violation.js';
import { FORMATS } from './formats.js';
import { installKeywords } from './keywords.js';
import { Meter, type WorkLimits } from './meter.js';

/**
 * A schema made into code by ajv (`new Function`). That code never holds text of the user except as
 * string literals that ajv escapes, and a closed schema has no `$id` that would go into a comment.
 */
export class CompiledSchema {
  /** All patterns run in linear time, so the {@link WorkLimits} bound any validation. */
  readonly linear: boolean;
  readonly #meter = new Meter();
  readonly #patterns: ReadonlyMap<string, Pattern>;
  readonly #first: ValidateFunction;
  #all: ValidateFunction | undefined;

  constructor(
    private readonly plan: SchemaPlan,
    patterns: ReadonlyMap<string, Pattern>,
  ) {
    this.#patterns = patterns;
    this.linear = [...patterns.values()].every((pattern) => pattern.linear);
    this.#first = this.#compile(false);
  }

  /**
   * The first violation, with those of the alternatives that were tried for it; empty when the
   * document is valid. Throws `WorkExhausted` at the limits, RangeError for endless recursion.
   */
  check(document: JsonValue, limits: WorkLimits): readonly Violation[] {
    return this.#run(this.#first, document, limits);
  }

  /** All violations, at most 100. Costs more than {@link check}: alternatives multiply. */
  explain(document: JsonValue, limits: WorkLimits): readonly Violation[] {
    this.#all ??= this.#compile(true);
    return this.#run(this.#all, document, limits);
  }

  #run(validate: ValidateFunction, document: JsonValue, limits: WorkLimits): readonly Violation[] {
    this.#meter.start(limits);
    const valid = validate(document);
    const violations = valid ? [] : violationsOf(validate.errors ?? []);
    validate.errors = null;
    return violations;
  }

  #compile(allErrors: boolean): ValidateFunction {
    const ajv = new AJV_CLASS[this.plan.draft](this.#options(allErrors));
    ajv.opts.unevaluated = this.plan.closed.unevaluated;
    ajv.opts.dynamicRef = false;
    installKeywords(ajv, this.#meter);
    return ajv.compile(this.plan.closed.schema as unknown as AnySchema);
  }

  #options(allErrors: boolean): Options {
    const regExp = (pattern: string) => this.#metered(pattern);
    return {
      allErrors,
      strict: false,
      logger: false,
      meta: false,
      validateSchema: false,
      addUsedSchema: false,
      inlineRefs: false,
      // Written out, ajv's check does not see that the property "" is missing.
      loopRequired: 1,
      ownProperties: true,
      verbose: true,
      messages: false,
      formats: FORMATS,
      code: {
        optimize: false,
        regExp: Object.assign(regExp, { code: 'pawlPattern' }),
      },
    };
  }

  /** Ajv keeps expressions by their `toString()`, so each pattern has its own. */
  #metered(source: string): { test: (text: string) => boolean; toString: () => string } {
    const pattern = this.#patterns.get(source) as Pattern;
    const meter = this.#meter;
    return {
      test(text) {
        meter.spendPattern(text.length * pattern.size);
        return pattern.test(text);
      },
      toString: () => source,
    };
  }
}

/** Compiles the patterns of a plan. Problem: `schema-invalid` for what is no regular expression. */
export function compilePatterns(plan: SchemaPlan): Outcome<ReadonlyMap<string, Pattern>> {
  const patterns = new Map<string, Pattern>();
  const errors: ProblemError[] = [];
  for (const [source, pointer] of plan.closed.patterns) {
    const pattern = compilePattern(source);
    if (pattern !== undefined) patterns.set(source, pattern);
    else errors.push({ address: '', pointer, keyword: 'pattern', message: invalidPattern(source) });
  }
  if (errors.length === 0) return done(patterns);
  return refused('schema-invalid', 'A pattern is not a regular expression (ECMA-262).', { errors });
}

function invalidPattern(source: string): string {
  return `${JSON.stringify(source.slice(0, 200))} is not a regular expression`;
}

/** Compiles a plan. Problem: `schema-invalid` for what ajv refuses beyond the meta-schema. */
export function compileSchema(plan: SchemaPlan): Outcome<CompiledSchema> {
  const patterns = compilePatterns(plan);
  if (!patterns.ok) return patterns;
  try {
    return done(new CompiledSchema(plan, patterns.value));
  } catch (error) {
    const reason =
      error instanceof RangeError
        ? 'its references are nested too deeply'
        : (error instanceof Error ? error.message : String(error)).slice(0, 500);
    return refused('schema-invalid', `The schema cannot be compiled: ${reason}.`, {
      errors: [{ address: '', pointer: '', message: reason }],
    });
  }
}
