import type { ClusterMember } from '@pawl/metadata/cluster-client';
import { addressText, isLoopback } from '@pawl/platform';
import type { HostPort } from '@pawl/platform';

/** The words of the command line that starts a new member on its host. */
export function startWords(
  id: string,
  address: HostPort,
  members: readonly ClusterMember[],
): string {
  const own = addressText(address);
  const others = members
    .filter(({ name, peerAddress }) => name !== '' && peerAddress !== own)
    .map(({ name, peerAddress }) => `${name}=${peerAddress}`);
  return [
    'quorum --join',
    `--node-id ${id}`,
    `--peers ${[...others, `${id}=${own}`].join(',')}`,
    `--peer-host ${address.host}`,
    `--peer-port ${address.port}`,
    // Beside others on one host it needs what is its own.
    ...(isLoopback(address.host) ? [`--data-dir .pawl-${id} --etcd-port 0 --http-port 0`] : []),
  ].join(' ');
}
