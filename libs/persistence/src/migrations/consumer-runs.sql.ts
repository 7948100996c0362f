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

/** Before which nothing is known of what consumers ran at the address of a row. */
const BEFORE = `greatest(p_before,
  (SELECT s.since FROM consumer_run_since s WHERE s.address = r.address))`;

/**
 * Deletes at most p_limit rows of the shard that say nothing of the time since p_before, nor of that
 * which the newest p_most rows of an address tell of: those that others have followed before, and those
 * of consumers that were last heard before.
 */
export const SWEEP_RUNS = `
CREATE FUNCTION pawl_sweep_runs(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_before timestamptz, p_limit integer, p_most integer
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  swept integer;
  more integer;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  INSERT INTO consumer_run_since AS s (address, shard, since)
  SELECT m.address, p_shard, (
    SELECT o.at FROM consumer_run o WHERE o.address = m.address
    ORDER BY o.at DESC OFFSET p_most - 1 LIMIT 1)
  FROM (
    SELECT r.address FROM consumer_run r WHERE r.shard = p_shard
    GROUP BY r.address HAVING count(*) > p_most) m
  ON CONFLICT (address) DO UPDATE
    SET shard = excluded.shard, since = greatest(s.since, excluded.since);
  DELETE FROM consumer_run_since s WHERE s.shard = p_shard AND s.since < p_before;
  DELETE FROM consumer_run c
  WHERE (c.address, c.workload, c.consumer_id, c.incarnation, c.at) IN (
    SELECT r.address, r.workload, r.consumer_id, r.incarnation, r.at FROM consumer_run r
    WHERE r.shard = p_shard AND r.at < ${BEFORE}
      AND (
        EXISTS (
          SELECT FROM consumer_run n
          WHERE n.address = r.address AND n.workload = r.workload
            AND n.consumer_id = r.consumer_id AND n.incarnation = r.incarnation
            AND n.at > r.at AND n.at <= ${BEFORE})
        OR NOT EXISTS (
          SELECT FROM consumer_status h
          WHERE h.root = split_part(split_part(r.address, '/', 1), ':', 1)
            AND h.workload = r.workload AND h.consumer_id = r.consumer_id
            AND h.incarnation = r.incarnation AND h.last_seen_at >= ${BEFORE}))
    LIMIT p_limit);
  GET DIAGNOSTICS swept = ROW_COUNT;
  DELETE FROM snapshot_published p
  WHERE (p.address, p.at) IN (
    SELECT o.address, o.at FROM snapshot_published o
    WHERE o.shard = p_shard AND o.at < p_before
      AND EXISTS (
        SELECT FROM snapshot_published n
        WHERE n.address = o.address AND n.at > o.at AND n.at <= p_before)
    LIMIT greatest(0, p_limit - swept));
  GET DIAGNOSTICS more = ROW_COUNT;
  RETURN swept + more;
END $pawl$`;
