/** Adds what consumers began to run, and what was published meanwhile; the same again changes nothing. */
export const SAVE_RUNS = `
CREATE FUNCTION pawl_save_runs(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_runs json, p_published json
) RETURNS void LANGUAGE plpgsql VOLATILE AS $pawl$
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  INSERT INTO consumer_run (
    address, workload, consumer_id, incarnation, at, shard, generation, version, cohort, hash,
    rejected_version, reason, has_left)
  SELECT r.address, r.workload, r."consumerId", r.incarnation, r.at, p_shard, r.generation,
    r.version, r.cohort, r.hash, r."rejectedVersion", r.reason, r."left"
  FROM json_to_recordset(p_runs) AS r(
    address text, workload text, "consumerId" text, incarnation text, at timestamptz,
    generation bigint, version bigint, cohort text, hash text, "rejectedVersion" bigint,
    reason text, "left" boolean)
  ON CONFLICT (address, workload, consumer_id, incarnation, at) DO UPDATE
    SET shard = excluded.shard, generation = excluded.generation, version = excluded.version,
      cohort = excluded.cohort, hash = excluded.hash,
      rejected_version = excluded.rejected_version, reason = excluded.reason,
      has_left = excluded.has_left;
  INSERT INTO snapshot_published (address, at, shard, generation, version)
  SELECT p.address, p.at, p_shard, p.generation, p.version
  FROM json_to_recordset(p_published) AS p(
    address text, at timestamptz, generation bigint, version bigint)
  ON CONFLICT (address, at) DO UPDATE
    SET shard = excluded.shard, generation = excluded.generation, version = excluded.version;
END $pawl$`;

/** Longest that one call works before it lets go of the shard's lock; a call ends within its statement time-out. */
const PORTION = `interval '500 milliseconds'`;

/**
 * Deletes rows of the shard that say nothing of the time since p_before, nor of that which the newest p_most
 * rows of an address tell of: those that others have followed before, and those of consumers that were last
 * heard before. One address after the other, from the one after p_after on, and at most p_limit rows; `next`
 * is where to go on, null at the end. So one call costs about as much however many rows the shard has, as long
 * as every statement is planned for its own limits.
 */
export const SWEEP_RUNS = `
CREATE FUNCTION pawl_sweep_runs(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_before timestamptz, p_limit integer, p_most integer, p_after text
) RETURNS json LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $pawl$
DECLARE
  until_at timestamptz := clock_timestamp() + ${PORTION};
  done text COLLATE "C" := p_after;
  one text COLLATE "C";
  since_at timestamptz;
  part integer;
  swept integer := 0;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  LOOP
    SELECT r.address INTO one FROM consumer_run r
    WHERE r.shard = p_shard AND r.address > done ORDER BY r.address LIMIT 1;
    EXIT WHEN one IS NULL;
    SELECT o.at INTO since_at FROM consumer_run o
    WHERE o.shard = p_shard AND o.address = one ORDER BY o.at DESC OFFSET p_most - 1 LIMIT 1;
    IF since_at > p_before AND EXISTS (
      SELECT FROM consumer_run o
      WHERE o.shard = p_shard AND o.address = one AND o.at < since_at)
    THEN
      INSERT INTO consumer_run_since AS s (address, shard, since) VALUES (one, p_shard, since_at)
      ON CONFLICT (address) DO UPDATE
        SET shard = excluded.shard, since = greatest(s.since, excluded.since);
    END IF;
    SELECT greatest(p_before, max(s.since)) INTO since_at
    FROM consumer_run_since s WHERE s.address = one;
    DELETE FROM consumer_run c
    WHERE c.ctid = ANY (ARRAY(
      SELECT r.ctid FROM consumer_run r
      WHERE r.shard = p_shard AND r.address = one AND r.at < since_at
        AND (
          EXISTS (
            SELECT FROM consumer_run n
            WHERE n.address = r.address AND n.workload = r.workload
              AND n.consumer_id = r.consumer_id AND n.incarnation = r.incarnation
              AND n.at > r.at AND n.at <= since_at)
          OR NOT EXISTS (
            SELECT FROM consumer_status h
            WHERE h.root = split_part(split_part(r.address, '/', 1), ':', 1)
              AND h.workload = r.workload AND h.consumer_id = r.consumer_id
              AND h.incarnation = r.incarnation AND h.last_seen_at >= since_at))
      LIMIT p_limit - swept));
    GET DIAGNOSTICS part = ROW_COUNT;
    swept := swept + part;
    IF swept >= p_limit THEN
      RETURN json_build_object('swept', swept, 'next', done);
    END IF;
    done := one;
    IF clock_timestamp() > until_at THEN
      RETURN json_build_object('swept', swept, 'next', done);
    END IF;
  END LOOP;
  DELETE FROM consumer_run_since s WHERE s.shard = p_shard AND s.since < p_before;
  RETURN json_build_object('swept', swept, 'next', NULL);
END $pawl$`;

/** Deletes at most p_limit rows of the shard that say nothing of what was published since p_before. */
export const SWEEP_PUBLISHED = `
CREATE FUNCTION pawl_sweep_published(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_before timestamptz, p_limit integer
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  swept integer;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  DELETE FROM snapshot_published p
  WHERE (p.address, p.at) IN (
    SELECT o.address, o.at FROM snapshot_published o
    WHERE o.shard = p_shard AND o.at < p_before
      AND EXISTS (
        SELECT FROM snapshot_published n
        WHERE n.address = o.address AND n.at > o.at AND n.at <= p_before)
    LIMIT p_limit);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN swept;
END $pawl$`;
