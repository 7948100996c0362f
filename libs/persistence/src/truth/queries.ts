/** SELECTs of the truth, to be read under a fence: $1 is the shard, parameters of a query start at $4. */

const ORIGIN = ['origin_address', 'origin_version', 'origin_base_version'] as const;

/** Where a definition version came from, with a prefix before the names. */
const originColumns = (table: string, prefix = ''): string =>
  ORIGIN.map((column) => `${table}.${column} AS ${prefix}${column}`).join(', ');

const definitionColumns = (table: string, schema: string, prefix: string): string =>
  `${table}.version AS ${prefix}_version, ${table}.document AS ${prefix}_document,
  ${table}.document_hash AS ${prefix}_document_hash, ${table}.schema_hash AS ${prefix}_schema_hash,
  ${schema}.text AS ${prefix}_schema_text, ${table}.author AS ${prefix}_author,
  ${table}.created_at AS ${prefix}_created_at, ${table}.message AS ${prefix}_message,
  ${originColumns(table, `${prefix}_`)}`;

/** What a row of {@link addressPage} carries in long texts; known without reading them. */
const BYTES = [
  ...['n.document', 'ns.text', 's.document', 'ss.text', 'c.document', 'cs.text'],
  ...['a.staged', 'a.queued', 'a.pins', 'h.releases'],
]
  .map((text) => `coalesce(octet_length(${text}), 0)`)
  .join(' + ');

/**
 * Of the first $5 addresses in order those that come to at most $6 bytes together, and always the
 * first; `listed` tells how many of the $5 there are.
 */
const addressPage = (where: string): string => `
  SELECT * FROM (
    SELECT one.*, (count(*) OVER ())::integer AS listed,
      sum(bytes) OVER (ORDER BY address) AS bytes_so_far
    FROM (${addresses(where)}) one) page
  WHERE bytes_so_far <= $6 OR bytes_so_far = bytes`;

const addresses = (where: string): string => `
  SELECT a.address, a.opened, a.state, a.release_version,
    a.stable_version AS release_stable_version, a.contribution_at, a.lowered_at, a.forced,
    a.blocked_versions, a.staged, a.queued, a.pins, h.generation, h.version AS snapshot_version, h.hash, h.inputs,
    h.variant_hash, h.variant_size, h.variant_absent, h.releases, h.cohorts,
    h.published_version, h.published_at,
    ${definitionColumns('n', 'ns', 'newest')},
    ${definitionColumns('s', 'ss', 'stable')},
    ${definitionColumns('c', 'cs', 'candidate')},
    ${BYTES} AS bytes
  FROM config_address a
  LEFT JOIN LATERAL (
    SELECT * FROM config_definition d WHERE d.address = a.address
    ORDER BY d.version DESC LIMIT 1) n ON true
  LEFT JOIN config_schema ns ON ns.address = a.address AND ns.hash = n.schema_hash
  LEFT JOIN config_definition s
    ON s.address = a.address AND s.version = a.stable_version AND s.version <> n.version
  LEFT JOIN config_schema ss ON ss.address = a.address AND ss.hash = s.schema_hash
    AND ss.hash IS DISTINCT FROM n.schema_hash
  LEFT JOIN config_definition c
    ON c.address = a.address AND c.version = a.candidate_version AND c.version <> n.version
  LEFT JOIN config_schema cs ON cs.address = a.address AND cs.hash = c.schema_hash
    AND cs.hash IS DISTINCT FROM n.schema_hash AND cs.hash IS DISTINCT FROM s.schema_hash
  LEFT JOIN config_snapshot h ON h.address = a.address
  WHERE ${where}
  ORDER BY a.address LIMIT $5`;

/** After address $4. */
export const SHARD_PAGE = addressPage('a.shard = $1 AND a.address > $4');
/**
 * After address $4, under root $7: in the index of the shard they lie between the root
 * and the root followed by a character above all that addresses have.
 */
export const ROOT_PAGE = addressPage(`a.shard = $1 AND a.root = $7
    AND a.address > $4 AND a.address >= $7 AND a.address < $7 || '~'`);

/** Address $4, version $5. */
export const DEFINITION = `
  SELECT d.version, d.document, d.document_hash, d.schema_hash, s.text AS schema_text, d.author,
    d.created_at, d.message, ${originColumns('d')}
  FROM config_definition d
  LEFT JOIN config_schema s ON s.address = d.address AND s.hash = d.schema_hash
  WHERE d.address = $4 AND d.version = $5`;

/** Address $4, the newest version that was merged from address $5. */
export const MERGED_FROM = `
  SELECT ${originColumns('d')} FROM config_definition d
  WHERE d.address = $4 AND d.origin_address = $5 ORDER BY d.version DESC LIMIT 1`;

const history = `
  SELECT h.*, ${originColumns('d')} FROM history_entry h
  LEFT JOIN config_definition d
    ON h.kind = 'definition' AND d.address = h.address AND d.version = h.version`;

/** Address $4, before sequence $5, at most $6. */
export const HISTORY = `${history}
  WHERE h.address = $4 AND h.sequence < $5 ORDER BY h.sequence DESC LIMIT $6`;

const audit = (where = ''): string => `${history}
  WHERE h.sequence < $1${where} ORDER BY h.sequence DESC LIMIT $2`;

/** Before sequence $1, at most $2; of all shards, so under no fence. */
export const AUDIT = audit();
/** As {@link AUDIT}, of time $3 or later. */
export const AUDIT_SINCE = audit(' AND h.at >= $3');
/** As {@link AUDIT}, with which a release in stages ended. */
export const ENDS = audit(' AND h.ended IS NOT NULL');
export const ENDS_SINCE = audit(' AND h.ended IS NOT NULL AND h.at >= $3');
/** As {@link AUDIT}, of release $3, and of time $4 or later where that is not null. */
export const OF_RELEASE = audit(
  ' AND h.release_id = $3 AND ($4::timestamptz IS NULL OR h.at >= $4)',
);

/** Those of releases, with how long they have been written by this server's clock, milliseconds. */
const releaseHistory = (where: string): string => `
  SELECT r.*, greatest(0, extract(epoch FROM
    clock_timestamp() - coalesce(r.written_at, r.at)) * 1000)::double precision AS age_ms
  FROM (${history} WHERE h.kind = 'release' AND ${where}) r ORDER BY r.sequence`;

/** After sequence $1, up to $2, at most $3, the oldest first; of all shards, so under no fence. */
export const RELEASE_HISTORY = releaseHistory(
  'h.sequence > $1 AND h.sequence <= $2 ORDER BY h.sequence LIMIT $3',
);

/** Of address $1, from sequence $2 up to $3, the oldest; under no fence. */
export const NEXT_RELEASE_HISTORY = releaseHistory(
  'h.address = $1 AND h.sequence >= $2 AND h.sequence <= $3 ORDER BY h.sequence LIMIT 1',
);

/**
 * After address $1, within scope $2 where that is not null, at most $3; of all shards, so under no
 * fence. What is within a scope lies between it and it followed by a character above all others.
 */
export const INVENTORY = `
  SELECT a.address, a.state, a.stable_version, coalesce(h.version, 0) AS snapshot_version,
    coalesce((SELECT max(d.version) FROM config_definition d WHERE d.address = a.address), 0)
      AS newest_version
  FROM config_address a LEFT JOIN config_snapshot h ON h.address = a.address
  WHERE a.address > $1 AND ($2::text IS NULL OR (a.address >= $2 AND a.address < $2 || '~'
    AND (a.address = $2 OR starts_with(a.address, $2 || '/') OR starts_with(a.address, $2 || ':'))))
  ORDER BY a.address LIMIT $3`;

/**
 * Under way or queued, after address $1, at most $3; of those under way the ones in state $2 where that is
 * not null, or whatever is queued where it is `queued`. Under no fence.
 */
export const RELEASES = `
  SELECT a.address, a.state, a.release_version, a.stable_version, a.staged, a.queued
  FROM config_address a
  WHERE (a.staged IS NOT NULL OR a.queued IS NOT NULL) AND a.address > $1
    AND ($2::text IS NULL OR (a.staged IS NOT NULL AND a.state = $2)
      OR ($2 = 'queued' AND a.queued IS NOT NULL))
  ORDER BY a.address LIMIT $3`;

/** Of installation $1, shards $2: one row at least, for the server. Of all shards, so under no fence. */
export const FENCES = `
  SELECT s.server, i.generation, f.shard, f.token, f.commits, f.behind IS NOT NULL AS is_behind
  FROM installation i CROSS JOIN pawl_server() s(server)
  LEFT JOIN shard_fence f ON f.installation = $1 AND f.shard = ANY ($2::integer[])
  WHERE i.id = $1`;

/** Of installation $1, of all its shards: one row at least, for the generation. */
export const BEHIND = `
  SELECT i.generation, f.shard, f.behind
  FROM installation i
  LEFT JOIN shard_fence f ON f.installation = $1 AND f.behind IS NOT NULL
  WHERE i.id = $1`;

/** A server on which fences were raised before, and this one, where they differ. */
export const FORMER_SERVER = `
  SELECT f.system_identifier::text AS former, c.system_identifier::text AS server
  FROM shard_fence f, pg_control_system() c
  WHERE f.system_identifier <> c.system_identifier
  ORDER BY f.raised_at DESC LIMIT 1`;

/** Key $4. */
export const IDEMPOTENT = `
  SELECT r.key, r.root, r.request_hash, r.status, r.body, r.created_at
  FROM idempotency_record r WHERE r.key = $4`;
