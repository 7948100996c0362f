import type { Snapshot, SnapshotInput } from '../messages/snapshot.message.js';

/** What a consumer keeps of the snapshot it runs, to judge the next one by. */
export type HeldSnapshot = Pick<
  Snapshot,
  'installation' | 'generation' | 'version' | 'hash' | 'inputs'
>;

export type Judgement =
  /** `lowered`: a layer went to a lower definition version or away, and says so. */
  | { readonly kind: 'accept'; readonly lowered: boolean }
  /** Below what is held: ignored. */
  | { readonly kind: 'older' }
  /** What is held already. */
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
 * version held. A higher generation resets the comparison, so nothing counts as lowered then.
 * `fencingToken` and times play no part. Contents are checked by their hashes elsewhere.
 *
 * `installation` is the name alone at first contact, `<name>/<id>` once the id is known.
 */
export function judgeSnapshot(
  held: HeldSnapshot | null,
  incoming: Snapshot,
  options: { readonly installation: string },
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
  return incoming.version === held.version
    ? judgeEqual(held, incoming)
    : judgeLayers(held, incoming);
}

function isOfInstallation(actual: string, expected: string): boolean {
  return expected.includes('/') ? actual === expected : actual.startsWith(`${expected}/`);
}

function judgeEqual(held: HeldSnapshot, incoming: Snapshot): Judgement {
  if (incoming.hash === held.hash) return { kind: 'same' };
  return {
    kind: 'conflict',
    reason:
      `version ${held.version} of generation ${held.generation} is held with hash ${held.hash} ` +
      `and came again with hash ${incoming.hash}`,
  };
}

function judgeLayers(held: HeldSnapshot, incoming: Snapshot): Judgement {
  const layers = new Map(incoming.inputs.map((input) => [input.address, input]));
  let lowered = false;
  for (const before of held.inputs) {
    const now = layers.get(before.address);
    if (!wentDown(before, now)) continue;
    if ((now?.loweredAt ?? 0) <= before.releaseVersion) {
      return { kind: 'refuse', reason: describeFall(before, now) };
    }
    lowered = true;
  }
  return { kind: 'accept', lowered };
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
