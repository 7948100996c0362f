import type { RunsQuery } from '@pawl/engine';

/** A statement and its values, as a session takes it. */
interface RunsStatement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * What incarnations had begun to run last at the time of the query, in the order of workload, consumer and
 * incarnation. It steps from one incarnation to the next along the primary key and reads one row of each, so
 * that it costs as much as there are incarnations on the page, however many rows each of them has; of one
 * consumer, as much as there are incarnations.
 */
export function selectRunsAt(query: RunsQuery): RunsStatement {
  const { address, at, after, workload, consumerId, limit } = query;
  const [root] = address.split(/[/:]/, 1);
  const values: unknown[] = [address, at, ...after, root, limit];
  let [name, seed, next, only] = ['pawl_saved_runs', SEED, NEXT, ''];
  if (workload !== null) {
    const place = `$${values.push(workload)}::text COLLATE "C"`;
    [seed, next] = [seedWithin(place), nextWithin(place)];
    name += '_workload';
  }
  if (consumerId !== null) {
    only = `AND n.consumer_id = $${values.push(consumerId)}`;
    name += '_consumer';
  }
  return { name, text: runsAt({ seed, next, only }), values };
}

const SEED = `
    SELECT $3::text COLLATE "C" AS workload, $4::text COLLATE "C" AS consumer_id,
      $5::text COLLATE "C" AS incarnation, NULL::timestamptz(3) AS at, 0 AS found`;

const NEXT = `(r.workload, r.consumer_id, r.incarnation) > (s.workload, s.consumer_id, s.incarnation)`;

function seedWithin(workload: string): string {
  return `
    SELECT ${workload} AS workload,
      CASE WHEN $3 = ${workload} THEN $4::text ELSE '' END COLLATE "C" AS consumer_id,
      CASE WHEN $3 = ${workload} THEN $5::text ELSE '' END COLLATE "C" AS incarnation,
      NULL::timestamptz(3) AS at, 0 AS found
    WHERE $3 <= ${workload}`;
}

/** Without the workload in the comparison, for an index is entered by equality where there is one. */
function nextWithin(workload: string): string {
  return `r.workload = ${workload}
          AND (r.consumer_id, r.incarnation) > (s.consumer_id, s.incarnation)`;
}

/** Of address $1 under root $6 at time $2, after ($3, $4, $5), at most $7. */
function runsAt(parts: {
  readonly seed: string;
  readonly next: string;
  readonly only: string;
}): string {
  return `
  WITH RECURSIVE step AS (${parts.seed}
    UNION ALL
    SELECT n.workload, n.consumer_id, n.incarnation, l.at,
      s.found + CASE WHEN l.at IS NULL THEN 0 ELSE 1 END
    FROM step s
    CROSS JOIN LATERAL (
      SELECT r.workload, r.consumer_id, r.incarnation FROM consumer_run r
      WHERE r.address = $1 AND ${parts.next}
      ORDER BY r.workload, r.consumer_id, r.incarnation LIMIT 1) n
    LEFT JOIN LATERAL (
      SELECT r.at FROM consumer_run r
      WHERE r.address = $1 AND r.workload = n.workload AND r.consumer_id = n.consumer_id
        AND r.incarnation = n.incarnation AND r.at <= $2 ${parts.only}
      ORDER BY r.at DESC LIMIT 1) l ON true
    WHERE s.found < $7)
  SELECT f.workload, f.consumer_id, f.incarnation, f.at, f.generation, f.version, f.cohort, f.hash,
    f.rejected_version, f.reason, f.has_left, c.last_seen_at
  FROM step s
  CROSS JOIN LATERAL (
    SELECT r.* FROM consumer_run r
    WHERE r.address = $1 AND r.workload = s.workload AND r.consumer_id = s.consumer_id
      AND r.incarnation = s.incarnation AND r.at = s.at
    LIMIT 1) f
  LEFT JOIN LATERAL (
    SELECT o.last_seen_at FROM consumer_status o
    WHERE o.root = $6 AND o.workload = s.workload AND o.consumer_id = s.consumer_id
      AND o.incarnation = s.incarnation
    LIMIT 1) c ON true
  ORDER BY f.workload, f.consumer_id, f.incarnation`;
}
