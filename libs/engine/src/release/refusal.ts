import { LIMITS, problem, STABLE_COHORT } from '@pawl/contracts';
import type { Problem, ProblemError } from '@pawl/contracts';
import { VALIDATION_TIMEOUT } from './evaluate-change.js';
import type { Variant } from './evaluate-change.js';

/** Everything that is wrong with a variant, in every cohort. */
export function complaints(variant: Variant): ProblemError[] {
  return [...variant.cohorts].flatMap(
    ([
      cohort,
      {
        tooLarge,
        errors,
        variant: { size },
      },
    ]) => {
      const whose = cohort === STABLE_COHORT ? '' : ` (for candidates of ${cohort})`;
      if (!tooLarge) return errors.map((error) => ({ ...error, message: error.message + whose }));
      const message = `the effective document would have ${size} bytes, at most ${LIMITS.effectiveBytes} fit${whose}`;
      return [{ address: variant.address.text, pointer: '', message }];
    },
  );
}

/** The cohorts in which something is wrong, by key. */
export function troubledCohorts(variants: readonly Variant[]): Set<string> {
  const keys = variants.flatMap(({ cohorts }) =>
    [...cohorts].filter(([, { tooLarge, errors }]) => tooLarge || errors.length > 0),
  );
  return new Set(keys.map(([key]) => key));
}

/** The problem that these variants pose; `undefined` when there is none. */
export function refusal(variants: readonly Variant[]): Problem | undefined {
  const errors = variants.flatMap(complaints);
  if (errors.length === 0) return undefined;
  const listed = { errors: errors.slice(0, LIMITS.errors) };
  if (variants.some(({ cohorts }) => [...cohorts.values()].some(({ tooLarge }) => tooLarge))) {
    return problem('too-large', 'effective documents would pass their size limit', listed);
  }
  const where = [...new Set(errors.map((error) => error.address))];
  const places = where.length === 1 ? where[0] : `${where[0]} and ${where.length - 1} more`;
  if (errors.every((error) => error.keyword === VALIDATION_TIMEOUT)) {
    return problem(
      'validation-timeout',
      `checking ${places} against its schemas was cut off; make the schema's patterns or the document simpler`,
      listed,
    );
  }
  return problem(
    'schema-violation',
    `what ${places} would read breaks a schema; nothing was changed`,
    listed,
  );
}
