/**
 * Measures all sides in every pass, in turning order, so that neither has the better half of a
 * machine that drifts.
 *
 * @template S, R
 * @param {number} passes
 * @param {Record<string, S>} sides
 * @param {(side: S, name: string) => Promise<R>} measure
 * @returns {Promise<Record<string, R[]>>} by side, one per pass
 */
export async function byTurns(passes, sides, measure) {
  const names = Object.keys(sides);
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (let pass = 0; pass < passes; pass += 1) {
    const order = pass % 2 === 0 ? names : [...names].reverse();
    for (const name of order) results[name].push(await measure(sides[name], name));
  }
  return results;
}
