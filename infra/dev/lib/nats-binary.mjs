import { findPrograms } from './distribution-package.mjs';

/** @type {import('./distribution-package.mjs').Wanted} */
const NATS = {
  title: 'nats-server',
  programs: [{ name: 'nats-server', versionArgs: ['--version'] }],
  packages: ['nats-server'],
  folder: 'usr/sbin',
  // What Debian 12 has; the distribution uses nothing newer without asking the server first.
  oldest: [2, 9],
  remedy:
    'install it (Debian, Ubuntu: apt-get install nats-server; macOS: brew install nats-server), ' +
    'or set PAWL_NATS_URL to a server with JetStream',
};

/**
 * Finds nats-server, or fetches it: see {@link findPrograms}.
 *
 * @param {import('./distribution-package.mjs').FindOptions} options
 * @returns {Promise<string>} path of the program
 */
export async function findNats(options) {
  const [program = ''] = await findPrograms(NATS, options);
  return program;
}
