import { BUCKETS } from '@pawl/contracts';
import type {
  Address,
  AddressText,
  ReleaseStage,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import {
  isLastStage,
  pinnedInput,
  pinsOnWay,
  reachStages,
  snapshotInput,
  workloadsHeld,
} from '@pawl/domain';
import type { PlacedPin, ReleaseState, StagedRelease } from '@pawl/domain';
import type { RootTree } from './root-tree.js';

/** The release state of one layer. */
interface LayerRelease {
  readonly address: AddressText;
  readonly release: ReleaseState;
}

/** The release state of one layer on the way down to a place. */
export interface PathRelease extends LayerRelease {
  /** Set where the place stays at a version of the layer: nothing else of it counts there. */
  readonly pinned?: PlacedPin | undefined;
}

/** Release states that are taken as given in place of what memory holds. */
export type ChangedReleases = ReadonlyMap<AddressText, ReleaseState>;

/** The release states of the known addresses from the root down to and including `address`. */
export function pathReleases(
  tree: RootTree,
  address: Address,
  changed?: ChangedReleases,
): PathRelease[] {
  const path = tree.path(address).map((node) => {
    const { text } = node.address;
    return { address: text, release: changed?.get(text) ?? node.release };
  });
  return withPins(path);
}

/** With the pins that count at the last of them. */
export function withPins(path: readonly LayerRelease[]): PathRelease[] {
  const way = path.map(({ address: at, release: { pins } }) => ({
    pins: new Map(pins.map((pin) => [pin.ancestor, { pin, at }] as const)),
  }));
  const pins = pinsOnWay(way);
  return path.map((layer) => ({ ...layer, pinned: pins.get(layer.address) }));
}

/** The release in stages of a layer, as far as it reaches the place. */
function stagedOf({ release, pinned }: PathRelease): StagedRelease | null {
  return pinned === undefined ? release.staged : null;
}

/** Ids of the releases in stages under way there, from the root down. */
export function stagedIds(path: readonly PathRelease[]): string[] {
  return path.flatMap((layer) => stagedOf(layer)?.id ?? []);
}

/** Inputs of an address in merge order. */
export function inputsOf(path: readonly PathRelease[]): SnapshotInput[] {
  return path.flatMap(({ address, release, pinned }) => {
    if (pinned !== undefined) return [pinnedInput(pinned)];
    return snapshotInput(address, release) ?? [];
  });
}

/** What the snapshot of an address told of releases, and the one that has come further there. */
export interface Place {
  readonly before: readonly SnapshotRelease[];
  readonly reached?: { readonly id: string; readonly stages: readonly ReleaseStage[] } | undefined;
}

/**
 * The releases that a snapshot of a place tells: what was told stays. Where a stage was never told, as
 * at an address that was not known, it has reached nobody yet, but as the last one everybody.
 */
export function releasesAt(path: readonly PathRelease[], place: Place): SnapshotRelease[] {
  return path.flatMap((layer) => {
    const { address } = layer;
    const staged = stagedOf(layer);
    if (staged === null) return [];
    const held = workloadsHeld(staged);
    const out = held.length === 0 ? {} : { held };
    return [{ id: staged.id, address, salt: staged.id, stages: stagesAt(staged, place), ...out }];
  });
}

function stagesAt(staged: StagedRelease, { before, reached }: Place): readonly ReleaseStage[] {
  if (reached?.id === staged.id) return reached.stages;
  const told = toldOf(before, staged.id);
  if (isReached(staged, told)) return told;
  return reachStages({ release: staged, before: told, instances: [] });
}

/** The stages of a release that a snapshot told. */
export function toldOf(before: readonly SnapshotRelease[], id: string): readonly ReleaseStage[] {
  return before.find((release) => release.id === id)?.stages ?? [];
}

function isReached(staged: StagedRelease, told: readonly ReleaseStage[]): boolean {
  if (isLastStage(staged)) return told[0]?.basisPoints === BUCKETS && told.length === 1;
  return told.length === staged.stage + 1;
}
