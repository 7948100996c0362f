import type { AddressText, MergeOrigin, ScopeView } from '@pawl/contracts';
import { parseAddress, parseJson } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import type { Definition, ReleaseState, SnapshotHead } from '@pawl/domain';
import type {
  AddressImage,
  AuditQuery,
  HistoryEntry,
  InventoryQuery,
  NewDefinition,
  ReleasesQuery,
  StagedAddress,
  StoredHistoryEntry,
} from '../sharding/truth-store.port.js';

/** One address as the fake truth keeps it. */
export interface Row {
  readonly address: AddressText;
  definitions: Definition[];
  release: ReleaseState;
  snapshot: SnapshotHead | null;
  publishedVersion: number;
  publishedAt: string | null;
  opened: boolean;
}

/** Puts what a map holds now back into it. */
export function copyOf<K, V>(map: Map<K, V>, copy: (value: V) => V = (value) => value): () => void {
  const kept = [...map].map(([key, value]) => [key, copy(value)] as const);
  return () => {
    map.clear();
    for (const [key, value] of kept) map.set(key, copy(value));
  };
}

/** `rowOf`: the row of another address. */
export function imageOf(row: Row, rowOf: (address: AddressText) => Row | undefined): AddressImage {
  const { address, definitions, release, snapshot, publishedVersion, publishedAt, opened } = row;
  const at = (version: number | undefined | null): Definition | null =>
    definitions[(version ?? 0) - 1] ?? null;
  return {
    address,
    newest: definitions.at(-1) ?? null,
    stable: at(release.stableVersion),
    candidate: at(release.staged?.candidateVersion),
    pinned: release.pins.flatMap(
      ({ ancestor, version }) => rowOf(ancestor)?.definitions[version - 1] ?? [],
    ),
    release,
    snapshot,
    publishedVersion,
    publishedAt,
    opened,
  };
}

export function stored(definition: NewDefinition, row: Row): Definition {
  const { address, version, document, schema, author, createdAt, message, origin } = definition;
  const known = row.definitions.find((earlier) => earlier.schema?.hash === schema?.hash)?.schema;
  return {
    address,
    version,
    document: document && { ...document, value: parsed(document.text) as never },
    schema: schema && (known ?? { hash: schema.hash, schema: parsed(schema.text) }),
    author,
    createdAt,
    ...(message === undefined ? {} : { message }),
    ...(origin === undefined ? {} : { origin }),
  };
}

function parsed(text: string) {
  const result = parseJson(text, { numbers: 'double' });
  assert(result.ok, 'canonical text parses');
  return result.value;
}

export function page(
  entries: readonly StoredHistoryEntry[],
  query: AuditQuery,
): StoredHistoryEntry[] {
  const before = query.before === undefined ? Infinity : Number(query.before);
  const { since = '', about } = query;
  return entries
    .filter((entry) => Number(entry.sequence) < before && entry.at >= since)
    .filter((entry) => isAbout(entry, about))
    .reverse()
    .slice(0, query.limit);
}

function isAbout({ ended, releaseId }: StoredHistoryEntry, about: AuditQuery['about']): boolean {
  if (about === 'ends') return ended !== undefined;
  return about === undefined || about.releaseId === releaseId;
}

/** Where the newest version of an address came from that was merged from `from`. */
export function mergedFrom(row: Row | undefined, from: AddressText): MergeOrigin | undefined {
  const origins = row?.definitions.map(({ origin }) => origin) ?? [];
  return origins.findLast((origin) => origin?.address === from);
}

/** A line of history with the origin of the definition that it tells of. */
export function told(
  entry: HistoryEntry,
  row: Row | undefined,
): Omit<StoredHistoryEntry, 'sequence'> {
  const { kind, version = 0 } = entry;
  const origin = kind === 'definition' ? row?.definitions[version - 1]?.origin : undefined;
  return { ...entry, ...(origin === undefined ? {} : { origin }) };
}

/** Those of the rows that are asked for, as the inventory tells them. */
export function inventoryPage(
  rows: Iterable<Row>,
  { limit, after, within }: InventoryQuery,
): ScopeView[] {
  const asked = [...rows]
    .filter(({ address }) => after === undefined || address > after)
    .filter(({ address }) => within === undefined || isWithin(address, within))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  return asked.slice(0, limit).map((row) => ({
    address: row.address,
    newestVersion: row.definitions.length,
    stableVersion: row.release.stableVersion,
    state: row.release.state,
    snapshotVersion: row.snapshot?.version ?? 0,
  }));
}

/** Those of the rows with a release in stages under way, or something queued, that are asked for. */
export function stagedPage(
  rows: Iterable<Row>,
  { limit, after = '', state }: ReleasesQuery,
): StagedAddress[] {
  const found: StagedAddress[] = [];
  for (const { address, release } of rows) {
    const { staged, queued, releaseVersion, stableVersion } = release;
    if ((staged === null && queued === null) || address <= after) continue;
    const isUnderWay = staged !== null && (state ?? release.state) === release.state;
    const isQueued = queued !== null && (state ?? 'queued') === 'queued';
    if (!isUnderWay && !isQueued) continue;
    found.push({ address, state: release.state, releaseVersion, stableVersion, staged, queued });
  }
  return found.sort((a, b) => (a.address < b.address ? -1 : 1)).slice(0, limit);
}

export function rootOf(text: AddressText): string {
  const result = parseAddress(text);
  assert(result.ok, 'a stored address is well formed');
  return result.address.root;
}

function isWithin(address: AddressText, scope: string): boolean {
  const rest = address.slice(scope.length);
  return address.startsWith(scope) && (rest === '' || rest.startsWith('/') || rest.startsWith(':'));
}
