import { randomInt } from 'node:crypto';

/**
 * Two that stay and one that is fresh; PAWL_TEST_SEED names that one, PAWL_TEST_FRESH_SEEDS is how
 * many there are of them.
 */
export function differentialSeeds(): readonly number[] {
  const { PAWL_TEST_SEED: named, PAWL_TEST_FRESH_SEEDS: count = '1' } = process.env;
  const fresh = Array.from({ length: Number(count) }, () => randomInt(2 ** 32));
  return [1, 2, ...(named === undefined ? fresh : [Number(named)])];
}
