/** One of so many, up to so many, is a consumer of the SDK, with a connection of its own. */
const ONE_IN = 10;
const MAX_REAL = 300;
const BUILDS = 3;

/**
 * A fleet on three builds, of which `rejecting` instances of the last build, far from each other, reject
 * what is bad.
 *
 * @returns {{ consumerId: string, build: string, isReal: boolean, rejects: boolean }[]}
 */
export function planFleet(count, rejecting) {
  const step = Math.floor(count / BUILDS / rejecting);
  return Array.from({ length: count }, (_, index) => {
    const nth = Math.floor(index / BUILDS);
    const isLast = index % BUILDS === BUILDS - 1;
    return {
      consumerId: `bench-${index}`,
      build: `build-${(index % BUILDS) + 1}`,
      isReal: index % ONE_IN === 0 && index < ONE_IN * MAX_REAL,
      rejects: isLast && nth % step === 0 && nth / step < rejecting,
    };
  });
}

export const isReal = ({ isReal: real }) => real;
