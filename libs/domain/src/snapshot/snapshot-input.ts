import type { AddressText, SnapshotInput } from '@pawl/contracts';
import type { PlacedPin } from '../release/pin.js';
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

/**
 * How a layer stands where it is pinned. It may go down as the pin begins, whatever of it is held, and what
 * comes back when the pin ends is not lower unless the layer was lowered since.
 */
export function pinnedInput({ pin, at }: PlacedPin): SnapshotInput {
  const { ancestor, version, releaseVersion } = pin;
  return {
    address: ancestor,
    definitionVersion: version,
    ...{ releaseVersion, loweredAt: releaseVersion, pinnedAt: at },
  };
}
