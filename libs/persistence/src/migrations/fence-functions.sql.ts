/**
 * Enters a shard as one of its writers: takes the shard's advisory lock shared and, in the *next*
 * statement, whose snapshot is therefore newer than the lock, reads the fence row. Returns only under
 * exactly the caller's token. Every function that writes calls this first; it is VOLATILE, since only
 * then each statement sees what was committed before it, and refuses any isolation but READ COMMITTED,
 * under which a snapshot would be older than the lock.
 */
export const ENTER = `
CREATE FUNCTION pawl_enter(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint
) RETURNS void LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  held record;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'PW003',
      MESSAGE = 'a shard is written in READ COMMITTED transactions only';
  END IF;
  PERFORM pg_advisory_xact_lock_shared(p_lock, p_shard);
  SELECT f.token, f.installation INTO held FROM shard_fence f WHERE f.shard = p_shard;
  IF held.token IS DISTINCT FROM p_token OR held.installation <> p_installation THEN
    RAISE EXCEPTION USING ERRCODE = 'PW001',
      MESSAGE = format('shard %s is fenced', p_shard),
      DETAIL = coalesce(held.token, 0)::text;
  END IF;
END $pawl$`;

/**
 * Raises the fence. Waits for the shard's writers; after each `p_grace_ms` it terminates the sessions
 * that still hold the lock. The caller's `statement_timeout` bounds the whole. Answers whether the row
 * now holds this token for this owner.
 */
export const RAISE_FENCE = `
CREATE FUNCTION pawl_raise_fence(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_owner text, p_grace_ms integer
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  raised boolean;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'PW003',
      MESSAGE = 'a fence is raised in READ COMMITTED transactions only';
  END IF;
  IF NOT EXISTS (SELECT FROM installation i WHERE i.id = p_installation) THEN
    RAISE EXCEPTION USING ERRCODE = 'PW004',
      MESSAGE = 'this database belongs to another installation';
  END IF;
  PERFORM set_config('lock_timeout', p_grace_ms::text, true);
  LOOP
    BEGIN
      PERFORM pg_advisory_xact_lock(p_lock, p_shard);
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      PERFORM pg_terminate_backend(l.pid)
      FROM pg_locks l
      WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND l.classid = p_lock::oid AND l.objid = p_shard::oid AND l.objsubid = 2;
    END;
  END LOOP;
  PERFORM set_config('lock_timeout', '0', true);
  INSERT INTO shard_fence AS f (shard, token, owner, installation, raised_at, system_identifier)
  SELECT p_shard, p_token, p_owner, p_installation, clock_timestamp(), c.system_identifier
  FROM pg_control_system() c
  ON CONFLICT (shard) DO UPDATE
    SET token = excluded.token, owner = excluded.owner, installation = excluded.installation,
      raised_at = excluded.raised_at, system_identifier = excluded.system_identifier
    WHERE f.token < excluded.token;
  SELECT f.token = p_token AND f.owner = p_owner INTO raised
  FROM shard_fence f WHERE f.shard = p_shard;
  RETURN raised;
END $pawl$`;

/** Records what JetStream holds now of some addresses, never backwards: `[{address, version, publishedAt}]`. */
export const MARK_PUBLISHED = `
CREATE FUNCTION pawl_mark_published(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_items json
) RETURNS void LANGUAGE plpgsql VOLATILE AS $pawl$
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  UPDATE config_snapshot s
  SET published_version = i.version, published_at = i."publishedAt"
  FROM json_to_recordset(p_items) AS i(address text, version bigint, "publishedAt" timestamptz)
  WHERE s.address = i.address AND s.published_version < i.version;
END $pawl$`;

/** Deletes at most `p_limit` idempotency records of the shard made before a time; answers how many. */
export const SWEEP_IDEMPOTENCY = `
CREATE FUNCTION pawl_sweep_idempotency(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_before timestamptz, p_limit integer
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  swept integer;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  DELETE FROM idempotency_record r WHERE r.key IN (
    SELECT o.key FROM idempotency_record o
    WHERE o.shard = p_shard AND o.created_at < p_before LIMIT p_limit);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN swept;
END $pawl$`;

/**
 * Inserts or replaces consumer records; each key at most once in `p_records`. Labels and runs are JSON
 * texts inside that JSON, since unpacking it decodes every string, which fails at U+0000.
 */
export const SAVE_CONSUMERS = `
CREATE FUNCTION pawl_save_consumers(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_records json
) RETURNS void LANGUAGE plpgsql VOLATILE AS $pawl$
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  INSERT INTO consumer_status AS c (
    root, workload, consumer_id, incarnation, shard, last_seen_at, build, slot, labels, runs)
  SELECT r.root, r.workload, r."consumerId", r.incarnation, p_shard, r."lastSeenAt", r.build,
    r.slot, r.labels::json, r.runs::json
  FROM json_to_recordset(p_records) AS r(
    root text, workload text, "consumerId" text, incarnation text, "lastSeenAt" timestamptz,
    build text, slot integer, labels text, runs text)
  ON CONFLICT (root, workload, consumer_id, incarnation) DO UPDATE
    SET shard = excluded.shard, last_seen_at = excluded.last_seen_at, build = excluded.build,
      slot = excluded.slot, labels = excluded.labels, runs = excluded.runs;
END $pawl$`;

/** Deletes at most `p_limit` consumer records of the shard last seen before a time. */
export const SWEEP_CONSUMERS = `
CREATE FUNCTION pawl_sweep_consumers(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_before timestamptz, p_limit integer
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  swept integer;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  DELETE FROM consumer_status c
  WHERE (c.root, c.workload, c.consumer_id, c.incarnation) IN (
    SELECT o.root, o.workload, o.consumer_id, o.incarnation FROM consumer_status o
    WHERE o.shard = p_shard AND o.last_seen_at < p_before LIMIT p_limit);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN swept;
END $pawl$`;
