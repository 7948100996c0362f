import { findPrograms } from './distribution-package.mjs';
import { LIBRARIES } from './faketime-library.mjs';

/** Its libraries lie beside it where both were unpacked: the dynamic linker knows where it is itself. */
const BESIDE = { ...process.env, LD_LIBRARY_PATH: `$ORIGIN/../${LIBRARIES}` };

/** @type {import('./distribution-package.mjs').Wanted} */
const PGBOUNCER = {
  title: 'pgbouncer',
  programs: [{ name: 'pgbouncer', versionArgs: ['--version'] }],
  packages: ['pgbouncer', 'libc-ares2', 'libevent-2.1-7'],
  folder: 'usr/sbin',
  oldest: [1, 12],
  env: BESIDE,
  remedy: 'install it (Debian, Ubuntu: apt-get install pgbouncer)',
};

/**
 * Finds pgbouncer, or fetches it with the libraries that it needs: see {@link findPrograms}. Only the
 * chaos needs it.
 *
 * @param {import('./distribution-package.mjs').FindOptions} options
 * @returns {Promise<{ program: string, env: NodeJS.ProcessEnv }>} its path, and what it runs with
 */
export async function findPgbouncer(options) {
  const [program = ''] = await findPrograms(PGBOUNCER, options);
  return { program, env: BESIDE };
}
