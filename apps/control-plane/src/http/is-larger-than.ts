import type { JsonValue } from '@pawl/contracts';

/** What a number, a literal, or the brackets of a container count for. */
const SMALL = 4;

/**
 * Whether a value is longer than about so many bytes as JSON. Stops looking when it is: asking costs
 * little beside anything that is done with a large value.
 */
export function isLargerThan(value: JsonValue, bytes: number): boolean {
  let left = bytes;
  const fits = (part: JsonValue): boolean => {
    left -= typeof part === 'string' ? part.length : SMALL;
    if (left < 0) return false;
    if (typeof part !== 'object' || part === null) return true;
    if (Array.isArray(part)) return part.every(fits);
    return Object.entries(part).every(([key, member]) => fits(key) && fits(member));
  };
  return !fits(value);
}
