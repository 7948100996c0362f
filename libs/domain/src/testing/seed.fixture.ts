/** Seed of every property test; `PAWL_SEED=n` replays a run. */
export const seed = Number(process.env['PAWL_SEED'] ?? Date.now() % 2 ** 31);

process.stdout.write(`property tests run with PAWL_SEED=${seed}\n`);
