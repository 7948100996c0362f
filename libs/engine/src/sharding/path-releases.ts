import { BUCKETS } from '@pawl/contracts';
import type {
  Address,
  AddressText,
  ReleaseStage,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import { isLastStage, reachStages, snapshotInput } from '@pawl/domain';
import type { Instance, ReleaseState, StagedRelease } from '@pawl/domain';
import type { RootTree } from './root-tree.js';

/** The release state of one layer. */
export interface PathRelease {
  readonly address: AddressText;
  readonly release: ReleaseState;
}

/** Release states that are taken as given in place of what memory holds. */
export type ChangedReleases = ReadonlyMap<AddressText, ReleaseState>;

/** The release states of the known addresses from the root down to and including `address`. */
export function pathReleases(
  tree: RootTree,
  address: Address,
  changed?: ChangedReleases,
): PathRelease[] {
  return tree.path(address).map((node) => {
    const { text } = node.address;
    return { address: text, release: changed?.get(text) ?? node.release };
  });
}

/** Ids of the releases in stages under way there, from the root down. */
export function stagedIds(path: readonly PathRelease[]): string[] {
  return path.flatMap(({ release: { staged } }) => (staged === null ? [] : [staged.id]));
}

/** Inputs of an address in merge order. */
export function inputsOf(path: readonly PathRelease[]): SnapshotInput[] {
  return path.flatMap(({ address, release }) => snapshotInput(address, release) ?? []);
}

/** Who is at an address, and what its snapshot told of releases. */
export interface Place {
  readonly before: readonly SnapshotRelease[];
  readonly instances: () => readonly Instance[];
}

/**
 * The releases that a snapshot of a place tells: what was told stays, and a stage that is new is
 * reached. `grows`: of this release every workload gets its share of the stages told before, too, for
 * who came since.
 */
export function releasesAt(
  path: readonly PathRelease[],
  place: Place,
  grows?: string,
): SnapshotRelease[] {
  return path.flatMap(({ address, release: { staged } }) => {
    if (staged === null) return [];
    const told = place.before.find(({ id }) => id === staged.id)?.stages ?? [];
    const stays = grows !== staged.id && isReached(staged, told);
    const stages = stays ? told : reach(staged, told, place);
    return [{ id: staged.id, address, salt: staged.id, stages }];
  });
}

function reach(
  release: StagedRelease,
  before: readonly ReleaseStage[],
  { instances }: Place,
): ReleaseStage[] {
  return reachStages({ release, before, instances: instances() });
}

function isReached(staged: StagedRelease, told: readonly ReleaseStage[]): boolean {
  if (isLastStage(staged)) return told[0]?.basisPoints === BUCKETS && told.length === 1;
  return told.length === staged.stage + 1;
}
