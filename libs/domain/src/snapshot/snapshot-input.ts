import type { AddressText, SnapshotInput } from '@pawl/contracts';
import type { ReleaseState } from '../release/release-state.js';

/**
 * How a layer stands in the snapshots that it is part of; `null` while it never had a release. A
 * disabled layer stays in the list without a definition version, so that its `loweredAt` is told.
 */
export function snapshotInput(address: AddressText, release: ReleaseState): SnapshotInput | null {
  if (release.contributionAt === 0) return null;
  const contributes = release.state !== 'disabled';
  return {
    address,
    definitionVersion: contributes ? release.stableVersion : null,
    releaseVersion: release.contributionAt,
    loweredAt: release.loweredAt,
    ...(release.staged === null ? {} : { candidate: release.staged.candidateVersion }),
    ...(contributes && release.forced ? { forced: true } : {}),
  };
}
