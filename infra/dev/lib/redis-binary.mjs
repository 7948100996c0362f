import { findPrograms } from './distribution-package.mjs';
import { LIBRARIES } from './faketime-library.mjs';

/** Its libraries lie beside it where it was unpacked: the dynamic linker knows where it is itself. */
const BESIDE = { ...process.env, LD_LIBRARY_PATH: `$ORIGIN/../${LIBRARIES}` };

/** @type {import('./distribution-package.mjs').Wanted} */
const REDIS = {
  title: 'redis-server',
  programs: [{ name: 'redis-server', versionArgs: ['--version'] }],
  packages: [
    ...['redis-server', 'redis-tools', 'libhiredis0.14', 'libjemalloc2'],
    ...['libatomic1', 'liblua5.1-0', 'liblzf1', 'lua-bitop', 'lua-cjson'],
  ],
  folder: 'usr/bin',
  // What Debian 12 has; BullMQ recommends 6.2 or newer.
  oldest: [6, 2],
  env: BESIDE,
  remedy:
    'install it (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), ' +
    'or start the tests with its folder on PATH',
};

/**
 * Finds redis-server, or fetches it with the libraries that it needs: see {@link findPrograms}. Only tests
 * need it.
 *
 * @param {import('./distribution-package.mjs').FindOptions} options
 * @returns {Promise<{ program: string, libraries: string }>} its path, and its LD_LIBRARY_PATH
 */
export async function findRedis(options) {
  const [program = ''] = await findPrograms(REDIS, options);
  return { program, libraries: BESIDE.LD_LIBRARY_PATH };
}
