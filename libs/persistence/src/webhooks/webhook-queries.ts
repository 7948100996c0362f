/** Those that are gone are tried again. */
export const BEGIN = `
  INSERT INTO webhook_cursor AS c (endpoint, sequence, failures)
  SELECT e.endpoint, coalesce((SELECT max(h.sequence) FROM history_entry h), 0), 0
  FROM unnest($1::text[]) AS e(endpoint)
  ON CONFLICT (endpoint) DO UPDATE SET gone_at = NULL, reason = NULL WHERE c.gone_at IS NOT NULL`;

/** Endpoint $1, by $2, for $3 milliseconds. */
export const TAKE = `
  UPDATE webhook_cursor c
  SET holder = $2, held_until = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE c.endpoint = $1 AND (c.not_before IS NULL OR c.not_before <= clock_timestamp())
    AND (c.holder IS NULL OR c.holder = $2 OR c.held_until <= clock_timestamp())
    AND c.gone_at IS NULL
  RETURNING c.sequence, c.failures`;

/** What is done by $2 at endpoint $1 keeps the lease for $3 milliseconds more. */
const held = (set: string, where = 'true'): string => `
  UPDATE webhook_cursor c
  SET ${set}held_until = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE c.endpoint = $1 AND c.holder = $2 AND ${where}
  RETURNING c.endpoint`;

/** From $4 to $5. */
export const ADVANCE = held('sequence = $5, ', 'c.sequence = $4');

export const TAKEN = held('failures = 0, failing_since = NULL, not_before = NULL, reason = NULL, ');

/** Because of $4, for $3 milliseconds. */
export const RETRY_LATER = `
  UPDATE webhook_cursor c
  SET failures = least(c.failures + 1, 1000000), holder = NULL, held_until = NULL, reason = $4,
    failing_since = coalesce(c.failing_since, clock_timestamp()),
    not_before = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE c.endpoint = $1 AND c.holder = $2`;

/** Because of $3. */
export const GONE = `
  UPDATE webhook_cursor c
  SET gone_at = clock_timestamp(), holder = NULL, held_until = NULL, reason = $3
  WHERE c.endpoint = $1 AND c.holder = $2`;

export const GIVE_BACK = `
  UPDATE webhook_cursor c SET holder = NULL, held_until = NULL
  WHERE c.endpoint = $1 AND c.holder = $2`;

/** Of endpoint $1. */
export const READ_SET_ASIDE = `
  SELECT a.address, a.from_sequence, a.failures, a.reason, greatest(0, extract(epoch FROM
    a.not_before - clock_timestamp()) * 1000)::double precision AS due_in_ms
  FROM webhook_set_aside a WHERE a.endpoint = $1 ORDER BY a.not_before, a.address`;

/** Address $4 from sequence $5, after $6 failures because of $7, for $8 milliseconds. */
export const SET_ASIDE = `
  WITH mine AS (${held('')})
  INSERT INTO webhook_set_aside AS a
    (endpoint, address, from_sequence, failures, reason, not_before)
  SELECT m.endpoint, $4, $5, $6, $7, clock_timestamp() + $8 * interval '1 millisecond' FROM mine m
  ON CONFLICT (endpoint, address) DO UPDATE SET from_sequence = EXCLUDED.from_sequence,
    failures = EXCLUDED.failures, reason = EXCLUDED.reason, not_before = EXCLUDED.not_before
  RETURNING a.endpoint`;

/** Address $4. */
export const TAKE_BACK = `
  WITH mine AS (${held('')}), gone AS (
    DELETE FROM webhook_set_aside a USING mine m WHERE a.endpoint = m.endpoint AND a.address = $4)
  SELECT m.endpoint FROM mine m`;

/** Of endpoints $1. */
export const READ_STATES = `
  SELECT c.endpoint, c.failures, coalesce(c.reason, (
      SELECT a.reason FROM webhook_set_aside a WHERE a.endpoint = c.endpoint
      ORDER BY a.not_before DESC LIMIT 1)) AS reason,
    (SELECT count(*) FROM webhook_set_aside a WHERE a.endpoint = c.endpoint)::integer AS set_aside,
    (SELECT extract(epoch FROM min(a.not_before) - clock_timestamp()) * 1000
      FROM webhook_set_aside a WHERE a.endpoint = c.endpoint)::double precision AS aside_retry_ms,
    (extract(epoch FROM c.not_before - clock_timestamp()) * 1000)::double precision AS retry_ms,
    (extract(epoch FROM clock_timestamp() - c.failing_since) * 1000)::double precision AS failing_ms,
    (extract(epoch FROM clock_timestamp() - c.gone_at) * 1000)::double precision AS gone_ms
  FROM webhook_cursor c WHERE c.endpoint = ANY($1::text[]) ORDER BY c.endpoint`;

/** Of endpoints $1, counted up to $2: what comes after the place, and what was set aside before it. */
export const READ_BACKLOGS = `
  SELECT c.endpoint, least(b.waiting, $2)::integer AS waiting, b.oldest_ms
  FROM webhook_cursor c CROSS JOIN LATERAL (
    SELECT count(*) AS waiting,
      (extract(epoch FROM clock_timestamp() - min(w.at)) * 1000)::double precision AS oldest_ms
    FROM (
      (SELECT coalesce(h.written_at, h.at) AS at FROM history_entry h
        WHERE h.kind = 'release' AND h.sequence > c.sequence ORDER BY h.sequence LIMIT $2)
      UNION ALL
      (SELECT l.at FROM webhook_set_aside a CROSS JOIN LATERAL (
          SELECT coalesce(h.written_at, h.at) AS at FROM history_entry h
          WHERE h.kind = 'release' AND h.address = a.address
            AND h.sequence >= a.from_sequence AND h.sequence <= c.sequence
          ORDER BY h.sequence LIMIT $2) l
        WHERE a.endpoint = c.endpoint LIMIT $2)
    ) w
  ) b WHERE c.endpoint = ANY($1::text[]) ORDER BY c.endpoint`;

/** Endpoint $1. */
export const RETRY_NOW = `
  WITH known AS (
    UPDATE webhook_cursor c SET not_before = NULL, gone_at = NULL,
      reason = CASE WHEN c.gone_at IS NULL THEN c.reason END
    WHERE c.endpoint = $1 RETURNING c.endpoint
  ), due AS (
    UPDATE webhook_set_aside a SET not_before = least(a.not_before, clock_timestamp())
    FROM known k WHERE a.endpoint = k.endpoint)
  SELECT k.endpoint FROM known k`;

export const NEWEST = `SELECT coalesce(max(h.sequence), 0) AS newest FROM history_entry h`;

/**
 * Transactions that may write history. One takes this lock on the table before it takes a number of the
 * sequence, and lets go of it after what it wrote is to be seen.
 */
export const WRITERS = `
  SELECT l.virtualtransaction AS writer FROM pg_locks l
  WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'RowExclusiveLock'
    AND l.relation = 'history_entry'::regclass
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())`;
