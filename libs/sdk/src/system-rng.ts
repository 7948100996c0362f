import type { Rng } from '@pawl/kernel';

/** For jitter, not for secrets. */
export const systemRng: Rng = {
  next: () => Math.random(),
  below: (bound) => Math.floor(Math.random() * bound),
};
