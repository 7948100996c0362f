import { findPrograms } from './distribution-package.mjs';

/** @type {import('./distribution-package.mjs').Wanted} */
const ETCD = {
  title: 'etcd',
  programs: [
    { name: 'etcd', versionArgs: ['--version'] },
    { name: 'etcdctl', versionArgs: ['version'] },
  ],
  packages: ['etcd-server', 'etcd-client'],
  folder: 'usr/bin',
  // What Debian 12 has, and the coordination API is compared with.
  oldest: [3, 4],
  remedy:
    'install it (Debian, Ubuntu: apt-get install etcd-server etcd-client; macOS: brew install etcd)',
};

/**
 * What etcd and etcdctl run with: none of the user's own settings of theirs, and version 3 of the
 * API. On ARM the server of Debian 12 starts only when told that it may.
 *
 * @returns {NodeJS.ProcessEnv}
 */
export function etcdEnvironment() {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD'));
  return {
    ...Object.fromEntries(kept),
    ETCDCTL_API: '3',
    ...(process.arch === 'arm64' && { ETCD_UNSUPPORTED_ARCH: 'arm64' }),
  };
}

/**
 * Finds etcd and etcdctl, or fetches them: see {@link findPrograms}. Only tests, benches and chaos
 * need them.
 *
 * @param {import('./distribution-package.mjs').FindOptions} options
 * @returns {Promise<{ server: string, etcdctl: string }>} paths of the programs
 */
export async function findEtcd(options) {
  const wanted = { ...ETCD, env: etcdEnvironment() };
  const [server = '', etcdctl = ''] = await findPrograms(wanted, options);
  return { server, etcdctl };
}
