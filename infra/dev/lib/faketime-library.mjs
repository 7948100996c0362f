import { dirname, join } from 'node:path';
import { findPrograms } from './distribution-package.mjs';

/** @type {import('./distribution-package.mjs').Wanted} */
const FAKETIME = {
  title: 'faketime',
  programs: [{ name: 'faketime', versionArgs: ['--version'] }],
  packages: ['faketime', 'libfaketime'],
  folder: 'usr/bin',
  oldest: [0, 9],
  remedy: 'install it (Debian, Ubuntu: apt-get install faketime)',
};

/** How Debian names the folder of libraries of this machine. */
export const LIBRARIES = `lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

/**
 * Finds libfaketime, under which a process has a clock of its own, or fetches it: see
 * {@link findPrograms}. Only the chaos needs it.
 *
 * @param {import('./distribution-package.mjs').FindOptions} options
 * @returns {Promise<string>} path of the library, for LD_PRELOAD
 */
export async function findFaketime(options) {
  const [program = ''] = await findPrograms(FAKETIME, options);
  return join(dirname(program), '..', LIBRARIES, 'faketime', 'libfaketime.so.1');
}
