import { LIMITS, problem } from '@pawl/contracts';
import type { Problem, ProblemError } from '@pawl/contracts';
import { VALIDATION_TIMEOUT } from './evaluate-change.js';
import type { Variant } from './evaluate-change.js';

/** Everything that is wrong with a variant. */
export function complaints(variant: Variant): ProblemError[] {
  if (!variant.tooLarge) return [...variant.errors];
  return [
    {
      address: variant.address.text,
      pointer: '',
      message: `the effective document would have ${variant.size} bytes, at most ${LIMITS.effectiveBytes} fit`,
    },
  ];
}

/** The problem that these variants pose; `undefined` when there is none. */
export function refusal(variants: readonly Variant[]): Problem | undefined {
  const errors = variants.flatMap(complaints);
  if (errors.length === 0) return undefined;
  const listed = { errors: errors.slice(0, LIMITS.errors) };
  if (variants.some((variant) => variant.tooLarge)) {
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
