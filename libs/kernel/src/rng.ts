/** A source of chance. Pure rooms are handed one, seeded, so that a run can be replayed. */
export interface Rng {
  /** A double in [0, 1). */
  next(): number;
  /** An integer in [0, bound); `bound` from 1 to 2^32. */
  below(bound: number): number;
}

/** Mulberry32: 32 bits of state, enough for schedules and jitter, not for secrets. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  const next32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    next: () => next32() / 2 ** 32,
    below: (bound) => Math.floor((next32() / 2 ** 32) * bound),
  };
}
