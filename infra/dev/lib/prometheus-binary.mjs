import { findPrograms } from './distribution-package.mjs';

/** @type {import('./distribution-package.mjs').Wanted} */
const PROMETHEUS = {
  title: 'prometheus',
  programs: [{ name: 'prometheus', versionArgs: ['--version'] }],
  packages: ['prometheus'],
  folder: 'usr/bin',
  // What Debian 12 has is 2.42; the query API is that of 2.0.
  oldest: [2, 0],
  remedy: 'install it (Debian, Ubuntu: apt-get install prometheus; macOS: brew install prometheus)',
};

/**
 * Finds prometheus, or fetches it (19 MB): see {@link findPrograms}. Only a test needs it.
 *
 * @param {import('./distribution-package.mjs').FindOptions} options
 * @returns {Promise<string>} path of the program
 */
export async function findPrometheus(options) {
  const [program = ''] = await findPrograms(PROMETHEUS, options);
  return program;
}
