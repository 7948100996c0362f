import type { Snapshot, SnapshotInput } from '../messages/snapshot.message.js';
import { cohortOf, isSameIdentity } from './cohort.js';
import type { ConsumerIdentity } from './cohort.js';
import { cohortHeld, inputsOf } from './held-snapshot.js';
import type { HeldSnapshot } from './held-snapshot.js';

export type Judgement =
  /** `lowered`: a layer goes to a lower definition version or away, as it may. */
  | { readonly kind: 'accept'; readonly lowered: boolean }
  /** Below what is held: ignored. */
  | { readonly kind: 'older' }
  /** What is held already, and run as the same cohort. */
  | { readonly kind: 'same' }
  /** The version held with another hash: an incident, reported and never applied. */
  | { readonly kind: 'conflict'; readonly reason: string }
  /** Another installation's: never applied. */
  | { readonly kind: 'foreign'; readonly reason: string }
  /** A layer went down or away without saying so: never applied. */
  | { readonly kind: 'refuse'; readonly reason: string };

/**
 * The acceptance rule, which SDK and control plane share. A snapshot is accepted when it is of the
 * own installation and (generation, version) is higher than what is held; within a generation each
 * layer held may be lower, disabled or missing only when its `loweredAt` is above the release
 * version held, or when the consumer itself left the release's cohort. A higher generation resets
 * the comparison, so nothing counts as lowered then. The snapshot held is accepted once more when the
 * consumer is of another cohort now. `fencingToken` and times play no part. Contents are checked by
 * their hashes elsewhere.
 *
 * `installation` is the name alone at first contact, `<name>/<id>` once the id is known. Layers are
 * compared as the consumer of `identity` runs them; without one as consumers in no cohort do.
 */
export function judgeSnapshot(
  held: HeldSnapshot | null,
  incoming: Snapshot,
  options: { readonly installation: string; readonly identity?: ConsumerIdentity },
): Judgement {
  const expected = held?.installation ?? options.installation;
  if (
    !isOfInstallation(incoming.installation, options.installation) ||
    !isOfInstallation(incoming.installation, expected)
  ) {
    return {
      kind: 'foreign',
      reason: `the snapshot is of installation ${incoming.installation}, this is ${expected}`,
    };
  }
  if (held === null || incoming.generation > held.generation) {
    return { kind: 'accept', lowered: false };
  }
  if (incoming.generation < held.generation || incoming.version < held.version) {
    return { kind: 'older' };
  }
  const { identity } = options;
  return incoming.version === held.version
    ? judgeEqual(held, incoming, identity)
    : judgeLayers(held, incoming, identity);
}

function isOfInstallation(actual: string, expected: string): boolean {
  return expected.includes('/') ? actual === expected : actual.startsWith(`${expected}/`);
}

function judgeEqual(
  held: HeldSnapshot,
  incoming: Snapshot,
  identity: ConsumerIdentity | undefined,
): Judgement {
  if (incoming.hash === held.hash) {
    const stays =
      identity === undefined || cohortOf(incoming.releases, identity) === cohortHeld(held);
    return stays ? { kind: 'same' } : judgeLayers(held, incoming, identity);
  }
  return {
    kind: 'conflict',
    reason:
      `version ${held.version} of generation ${held.generation} is held with hash ${held.hash} ` +
      `and came again with hash ${incoming.hash}`,
  };
}

function judgeLayers(
  held: HeldSnapshot,
  incoming: Snapshot,
  identity: ConsumerIdentity | undefined,
): Judgement {
  const layers = new Map(
    inputsOf(incoming, identity).map((input) => [input.address, input] as const),
  );
  let lowered = false;
  for (const before of held.inputs) {
    const now = layers.get(before.address);
    if (!wentDown(before, now)) continue;
    const saysSo = (now?.loweredAt ?? 0) > before.releaseVersion;
    if (!saysSo && !leftCohort(held, before, { incoming, identity })) {
      return { kind: 'refuse', reason: describeFall(before, now) };
    }
    lowered = true;
  }
  return { kind: 'accept', lowered };
}

/**
 * Whether a layer is lower only because the consumer is another one now: it ran the layer as a candidate
 * of a release that is still there, and whose candidates would not go down.
 */
function leftCohort(
  held: HeldSnapshot,
  { address, definitionVersion }: SnapshotInput,
  now: { readonly incoming: Snapshot; readonly identity: ConsumerIdentity | undefined },
): boolean {
  const { incoming, identity } = now;
  if (held.identity === undefined || identity === undefined) return false;
  if (isSameIdentity(held.identity, identity)) return false;
  const releasesHeld = cohortHeld(held).split('+');
  const { candidate } = incoming.inputs.find((input) => input.address === address) ?? {};
  return (
    (candidate ?? 0) >= (definitionVersion ?? 0) &&
    incoming.releases.some(
      (release) => release.address === address && releasesHeld.includes(release.id),
    )
  );
}

function wentDown(before: SnapshotInput, now: SnapshotInput | undefined): boolean {
  if (before.definitionVersion === null) return false;
  return (now?.definitionVersion ?? 0) < before.definitionVersion;
}

function describeFall(before: SnapshotInput, now: SnapshotInput | undefined): string {
  const fall = `layer ${before.address} was at definition version ${before.definitionVersion}`;
  const held = `the release version held is ${before.releaseVersion}`;
  if (now === undefined) return `${fall} and is missing, ${held}`;
  const target =
    now.definitionVersion === null ? 'is disabled' : `is at version ${now.definitionVersion}`;
  return `${fall} and ${target}, lowered at release version ${now.loweredAt ?? 'none'}, ${held}`;
}
