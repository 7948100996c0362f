import {
  canonicalize,
  FORMAT,
  snapshotHash,
  STABLE_COHORT,
  utf8Length,
  type JsonObject,
  type Snapshot,
  type SnapshotInput,
  type SnapshotRelease,
  type SnapshotVariant,
} from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';

export interface SnapshotRecipe {
  readonly version: number;
  readonly address?: string;
  readonly generation?: number;
  readonly installation?: string;
  /** `null`: absent. */
  readonly document?: JsonObject | null;
  /** Definition version of the one layer, unless `inputs` are given. */
  readonly definitionVersion?: number;
  readonly inputs?: readonly SnapshotInput[];
  readonly releases?: readonly SnapshotRelease[];
  /** Documents of the variants beside the stable one, by cohort key; `null`: absent. */
  readonly cohorts?: Readonly<Record<string, JsonObject | null>>;
  /** Leave the content out, to be fetched by its hash. */
  readonly byHash?: boolean;
}

export const INSTALLATION = 'main/0123456789abcdef';
export const ADDRESS = 'acme/prod/checkout';

/** A well-formed snapshot, as an owner would publish it. */
export function makeSnapshot(recipe: SnapshotRecipe): Snapshot {
  const { version, address = ADDRESS, document = { version } } = recipe;
  const definitionVersion = recipe.definitionVersion ?? version;
  const layer = { address, definitionVersion, releaseVersion: version, loweredAt: null };
  const body = {
    format: FORMAT,
    installation: recipe.installation ?? INSTALLATION,
    address,
    generation: recipe.generation ?? 1,
    version,
    fencingToken: '1',
    publishedAt: '2026-01-01T00:00:00.000Z',
    inputs: recipe.inputs ?? [layer],
    releases: recipe.releases ?? [],
    variants: Object.fromEntries(
      Object.entries({ [STABLE_COHORT]: document, ...recipe.cohorts }).map(
        ([cohort, each]) => [cohort, makeVariant(each, recipe.byHash ?? false)] as const,
      ),
    ),
  } satisfies Omit<Snapshot, 'hash'>;
  return { ...body, hash: snapshotHash(body, sha256) };
}

function makeVariant(document: JsonObject | null, byHash: boolean): SnapshotVariant {
  if (document === null) return { hash: sha256(''), size: 0, absent: true };
  const text = canonicalize(document);
  const named = { hash: sha256(text), size: utf8Length(text) };
  return byHash ? named : { ...named, inline: document };
}

/** A staged release of a layer that has reached the first of each workload's so many buckets. */
export function makeRelease(
  id: string,
  basisPoints: number,
  extra: Partial<SnapshotRelease> = {},
): SnapshotRelease {
  return { id, address: ADDRESS, salt: id, stages: [{ basisPoints }], ...extra };
}

/** The same snapshot as it would come out of a message: nothing shared with the original. */
export function asReceived(snapshot: Snapshot): Snapshot {
  return JSON.parse(JSON.stringify(snapshot)) as Snapshot;
}
