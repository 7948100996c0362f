import type { AddressText } from '@pawl/contracts';
import { pinsOnWay } from '@pawl/domain';
import type { Definition } from '@pawl/domain';
import { layerFor } from './root-tree.js';
import type { AddressNode, PinnedLayer, PinnedLayers } from './root-tree.js';

/** What of an address makes it a layer. */
export type LayerNode = Pick<AddressNode, 'release' | 'stable' | 'candidate' | 'pinned'> & {
  readonly address: Pick<AddressNode['address'], 'text'>;
};

/** A layer on the way down to a place, as it counts there. */
export interface WayLayer<N extends LayerNode = AddressNode> {
  readonly node: N;
  /** What it is kept at; without it, its own version and the candidate of its release count. */
  readonly pinned: PinnedLayer | undefined;
}

/** The layers of a place, of the known addresses from the root down to and including it. */
export function wayDown<N extends LayerNode>(path: readonly N[]): WayLayer<N>[] {
  const pins = pinnedOnWay(path.map(({ pinned }) => pinned));
  return path.map((node) => ({ node, pinned: pins.get(node.address.text) }));
}

/** What counts of the pins of addresses from the root down. */
export function pinnedOnWay(pins: readonly PinnedLayers[]): PinnedLayers {
  return pinsOnWay(pins.map((each) => ({ pins: each })));
}

/** What a layer contributes there for the candidates of these releases. */
export function layerOnWay<N extends LayerNode>(
  { node, pinned }: WayLayer<N>,
  releases: ReadonlySet<string>,
): Definition | null {
  return pinned === undefined ? layerFor(node, releases) : pinned.definition;
}

/** The release in stages of a layer that reaches the place; `null`: none does. */
export function stagedOnWay<N extends LayerNode>({ node, pinned }: WayLayer<N>) {
  return pinned === undefined ? node.release.staged : null;
}

/** The version that a place has of a layer, by pins of it and of what lies above it. */
export function pinnedVersions(path: readonly LayerNode[], ancestor: AddressText): number[] {
  return path.flatMap(({ pinned }) => pinned.get(ancestor)?.pin.version ?? []).toReversed();
}
