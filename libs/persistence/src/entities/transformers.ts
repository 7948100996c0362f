import { assert } from '@pawl/kernel';
import type { ValueTransformer } from 'typeorm';

/** A `bigint` column (text on the wire) as a safe integer. */
export const safeInteger: ValueTransformer = {
  from: (value: string | null) => (value === null ? null : toSafeInteger(value)),
  to: (value: number | null | undefined) => value,
};

/** A `bigint` column as a `bigint`. */
export const bigInteger: ValueTransformer = {
  from: (value: string | null) => (value === null ? null : BigInt(value)),
  to: (value: bigint | null | undefined) => value?.toString(),
};

/** Reads a `bigint` value of PostgreSQL, which travels as text; it must be a safe integer. */
export function toSafeInteger(value: string | number): number {
  const integer = Number(value);
  assert(Number.isSafeInteger(integer), `${value} is a safe integer`);
  return integer;
}
