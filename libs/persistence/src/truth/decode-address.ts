import { assert } from '@pawl/kernel';
import type { AddressText, JsonObject, SnapshotInput, SnapshotRelease } from '@pawl/contracts';
import type {
  Definition,
  Pin,
  QueuedRelease,
  ReleaseState,
  ReleaseStateName,
  SchemaRef,
  SnapshotHead,
  StagedRelease,
} from '@pawl/domain';
import type { AddressImage, StagedAddress } from '@pawl/engine';
import { toSafeInteger } from '../entities/transformers.js';
import { decodeOrigin } from './decode-origin.js';
import type { OriginRow } from './decode-origin.js';
import type { PacedParser } from './paced-parser.js';

/** A definition's columns; those of the schema are joined by its hash. */
export interface DefinitionRow extends OriginRow {
  readonly version: string;
  readonly document: string | null;
  readonly document_hash: string | null;
  readonly schema_hash: string | null;
  /** Canonical JSON of the schema; `null` where another row of the answer carries it. */
  readonly schema_text: string | null;
  readonly author: string;
  readonly created_at: Date;
  readonly message: string | null;
}

type Prefixed<Row, Prefix extends string> = {
  readonly [Key in keyof Row & string as `${Prefix}_${Key}`]: Row[Key] | null;
};

/** One known address; the stable and the candidate's definition only where they are not the newest one. */
export interface AddressRow
  extends
    Prefixed<DefinitionRow, 'newest'>,
    Prefixed<DefinitionRow, 'stable'>,
    Prefixed<DefinitionRow, 'candidate'> {
  readonly address: AddressText;
  readonly opened: boolean;
  readonly state: ReleaseStateName;
  readonly release_version: string;
  readonly release_stable_version: string | null;
  readonly contribution_at: string;
  readonly lowered_at: string | null;
  readonly forced: boolean;
  readonly blocked_versions: readonly string[];
  readonly staged: string | null;
  readonly queued: string | null;
  readonly pins: string | null;
  readonly generation: string | null;
  readonly snapshot_version: string | null;
  readonly hash: string | null;
  readonly inputs: readonly SnapshotInput[] | null;
  readonly variant_hash: string | null;
  readonly variant_size: string | null;
  readonly variant_absent: boolean | null;
  readonly releases: string | null;
  readonly cohorts: SnapshotHead['cohorts'] | null;
  readonly published_version: string | null;
  readonly published_at: Date | null;
}

/** An address with a release in stages under way, or a promote that begins later. */
export interface StagedRow {
  readonly address: AddressText;
  readonly state: ReleaseStateName;
  readonly release_version: string;
  readonly stable_version: string | null;
  readonly staged: string | null;
  readonly queued: string | null;
}

export async function decodeStaged(row: StagedRow, parser: PacedParser): Promise<StagedAddress> {
  return {
    address: row.address,
    state: row.state,
    releaseVersion: toSafeInteger(row.release_version),
    stableVersion: orNull(row.stable_version),
    staged: await parseStaged(row.staged, parser),
    queued: await parseQueued(row.queued, parser),
  };
}

/** Long texts are parsed by `parser`, at its pace. Without what it is pinned to, which other rows hold. */
export async function decodeAddress(
  row: AddressRow,
  parser: PacedParser,
): Promise<Omit<AddressImage, 'pinned'>> {
  const release = await decodeRelease(row, parser);
  const newest = await decodePrefixed(row, 'newest', { parser, joined: [] });
  const ofNewest = { parser, joined: schemasOf(newest) };
  const older = await decodePrefixed(row, 'stable', ofNewest);
  const stable = release.stableVersion === newest?.version ? newest : older;
  checkVersion(row, 'stable', { found: stable, expected: release.stableVersion });
  const candidateVersion = release.staged?.candidateVersion ?? null;
  const ofBoth = { parser, joined: [...schemasOf(newest), ...schemasOf(older)] };
  const other = await decodePrefixed(row, 'candidate', ofBoth);
  const candidate = candidateVersion === newest?.version ? newest : other;
  checkVersion(row, 'candidate', { found: candidate, expected: candidateVersion });
  return {
    address: row.address,
    newest,
    stable,
    candidate,
    release,
    snapshot: await decodeHead(row, parser),
    publishedVersion: toSafeInteger(row.published_version ?? 0),
    publishedAt: row.published_at?.toISOString() ?? null,
    opened: row.opened,
  };
}

export interface DecodeOptions {
  readonly parser: PacedParser;
  /** Schemas that the row carries elsewhere. */
  readonly joined: readonly SchemaRef[];
}

export async function decodeDefinition(
  address: AddressText,
  row: DefinitionRow,
  options: DecodeOptions,
): Promise<Definition> {
  const { document, document_hash: hash, message } = row;
  const { parser } = options;
  return {
    address,
    version: toSafeInteger(row.version),
    document:
      document === null || hash === null
        ? null
        : { text: document, hash, value: (await parser.parse(document)) as JsonObject },
    schema: await decodeSchema(address, row, options),
    author: row.author,
    createdAt: row.created_at.toISOString(),
    ...(message === null ? {} : { message }),
    ...decodeOrigin(row),
  };
}

async function decodeSchema(
  address: AddressText,
  row: DefinitionRow,
  { parser, joined }: DecodeOptions,
): Promise<SchemaRef | null> {
  const { schema_hash: hash, schema_text: text } = row;
  if (hash === null) return null;
  if (text !== null) return { hash, schema: await parser.parse(text) };
  const elsewhere = joined.find((schema) => schema.hash === hash);
  assert(elsewhere !== undefined, `schema ${hash} of ${address} is stored`);
  return elsewhere;
}

function schemasOf(definition: Definition | null): SchemaRef[] {
  return definition?.schema ? [definition.schema] : [];
}

function checkVersion(
  { address }: AddressRow,
  which: 'stable' | 'candidate',
  { found, expected }: { readonly found: Definition | null; readonly expected: number | null },
): void {
  assert(
    (found?.version ?? null) === expected,
    `the ${which} version of ${address} is a definition version`,
  );
}

async function decodePrefixed(
  row: AddressRow,
  prefix: 'newest' | 'stable' | 'candidate',
  options: DecodeOptions,
): Promise<Definition | null> {
  const version = row[`${prefix}_version`];
  const author = row[`${prefix}_author`];
  const createdAt = row[`${prefix}_created_at`];
  if (version === null || author === null || createdAt === null) return null;
  const definition: DefinitionRow = {
    version,
    author,
    created_at: createdAt,
    document: row[`${prefix}_document`],
    document_hash: row[`${prefix}_document_hash`],
    schema_hash: row[`${prefix}_schema_hash`],
    schema_text: row[`${prefix}_schema_text`],
    message: row[`${prefix}_message`],
    origin_address: row[`${prefix}_origin_address`],
    origin_version: row[`${prefix}_origin_version`],
    origin_base_version: row[`${prefix}_origin_base_version`],
  };
  return decodeDefinition(row.address, definition, options);
}

async function decodeRelease(row: AddressRow, parser: PacedParser): Promise<ReleaseState> {
  return {
    state: row.state,
    releaseVersion: toSafeInteger(row.release_version),
    stableVersion: orNull(row.release_stable_version),
    contributionAt: toSafeInteger(row.contribution_at),
    loweredAt: orNull(row.lowered_at),
    forced: row.forced,
    blockedVersions: row.blocked_versions.map(toSafeInteger),
    staged: await parseStaged(row.staged, parser),
    queued: await parseQueued(row.queued, parser),
    pins: row.pins === null ? [] : ((await parser.parse(row.pins)) as unknown as Pin[]),
  };
}

async function parseStaged(
  text: string | null,
  parser: PacedParser,
): Promise<StagedRelease | null> {
  return text === null ? null : ((await parser.parse(text)) as unknown as StagedRelease);
}

async function parseQueued(
  text: string | null,
  parser: PacedParser,
): Promise<QueuedRelease | null> {
  return text === null ? null : ((await parser.parse(text)) as unknown as QueuedRelease);
}

async function decodeHead(row: AddressRow, parser: PacedParser): Promise<SnapshotHead | null> {
  const { address, hash, inputs, variant_hash: variantHash } = row;
  if (row.snapshot_version === null || hash === null || inputs === null || variantHash === null) {
    return null;
  }
  return {
    address,
    generation: toSafeInteger(row.generation ?? 0),
    version: toSafeInteger(row.snapshot_version),
    hash,
    inputs,
    variant: {
      hash: variantHash,
      size: toSafeInteger(row.variant_size ?? 0),
      absent: row.variant_absent === true,
    },
    releases: (await parser.parse(row.releases ?? '[]')) as unknown as SnapshotRelease[],
    cohorts: row.cohorts ?? {},
  };
}

function orNull(value: string | null): number | null {
  return value === null ? null : toSafeInteger(value);
}
