import { NOW } from './truth-behind.sql.js';

/** Second half of the advisory lock of whoever accepts a restore; no shard has this number. */
const ACCEPTING = 2_147_483_647;

/** As {@link RAISE_FENCE_REMEMBERED}, and never ends the session that accepts a restore: that one waits itself. */
export const RAISE_FENCE_SPARING = `
CREATE OR REPLACE FUNCTION pawl_raise_fence(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_owner text, p_grace_ms integer,
  p_generation bigint DEFAULT NULL, p_served bigint DEFAULT NULL, p_commits bigint DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  had record;
  found_behind text;
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
        AND l.classid = p_lock::oid AND l.objid = p_shard::oid AND l.objsubid = 2
        AND NOT EXISTS (
          SELECT FROM pg_locks a
          WHERE a.pid = l.pid AND a.granted AND a.locktype = 'advisory' AND a.database = l.database
            AND a.classid = l.classid AND a.objid = ${ACCEPTING}::oid AND a.objsubid = 2);
    END;
  END LOOP;
  PERFORM set_config('lock_timeout', '0', true);
  SELECT i.generation, coalesce(f.token, 0) AS token, coalesce(f.commits, 0) AS commits INTO had
  FROM installation i LEFT JOIN shard_fence f ON f.shard = p_shard;
  IF had.generation < p_generation OR (had.generation = p_generation
    AND (had.token < p_served OR had.commits < p_commits))
  THEN
    found_behind := json_build_object('since', ${NOW}, 'remembered', json_build_object(
      'generation', p_generation, 'fencingToken', p_served::text, 'commits', p_commits,
      'has', json_build_object(
        'generation', had.generation, 'fencingToken', had.token::text, 'commits', had.commits)),
      'addresses', '[]'::json);
  END IF;
  INSERT INTO shard_fence AS f (
    shard, token, owner, installation, raised_at, system_identifier, server, behind)
  SELECT p_shard, p_token, p_owner, p_installation, clock_timestamp(), c.system_identifier,
    pawl_server(), found_behind
  FROM pg_control_system() c
  ON CONFLICT (shard) DO UPDATE
    SET token = excluded.token, owner = excluded.owner, installation = excluded.installation,
      raised_at = excluded.raised_at, system_identifier = excluded.system_identifier,
      server = excluded.server, behind = coalesce(f.behind, excluded.behind)
    WHERE f.token < excluded.token OR (f.token = excluded.token AND f.owner = excluded.owner);
  SELECT f.token = p_token AND f.owner = p_owner INTO raised
  FROM shard_fence f WHERE f.shard = p_shard;
  RETURN raised;
END $pawl$`;

/**
 * As {@link ACCEPT_RESTORE}, told what was looked at: the generation, and the shards that were read-only.
 * Answers 0, and changes nothing, where it is another by now.
 */
export const ACCEPT_RESTORE_AS_SEEN = `
CREATE FUNCTION pawl_accept_restore(
  p_lock integer, p_installation uuid, p_author text, p_reason text, p_at timestamptz,
  p_generation bigint, p_shards integer[]
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  all_shards integer;
  seen bigint;
  accepted bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'PW003',
      MESSAGE = 'a restore is accepted in READ COMMITTED transactions only';
  END IF;
  SELECT i.shards INTO all_shards FROM installation i WHERE i.id = p_installation;
  IF all_shards IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PW004',
      MESSAGE = 'this database belongs to another installation';
  END IF;
  PERFORM pg_advisory_xact_lock(p_lock, ${ACCEPTING});
  FOR locked IN 0 .. all_shards - 1 LOOP
    PERFORM pg_advisory_xact_lock(p_lock, locked);
  END LOOP;
  SELECT max(greatest(
    (f.behind::json -> 'remembered' ->> 'generation')::bigint,
    (SELECT max((a.address -> 'held' ->> 'generation')::bigint)
      FROM json_array_elements(f.behind::json -> 'addresses') a(address)), 0)) INTO seen
  FROM shard_fence f WHERE f.behind IS NOT NULL;
  IF seen IS NULL THEN
    RETURN NULL;
  END IF;
  IF NOT EXISTS (SELECT FROM installation i WHERE i.generation = p_generation)
    OR ARRAY(SELECT f.shard FROM shard_fence f WHERE f.behind IS NOT NULL ORDER BY f.shard)
      <> ARRAY(SELECT DISTINCT s.shard FROM unnest(p_shards) s(shard) ORDER BY s.shard)
  THEN
    RETURN 0;
  END IF;
  UPDATE installation i SET generation = greatest(i.generation, seen) + 1
  WHERE i.id = p_installation RETURNING i.generation INTO accepted;
  IF accepted IS NULL THEN
    RAISE EXCEPTION 'the installation is gone';
  END IF;
  INSERT INTO history_entry (address, at, author, kind, action, reason, forced)
  SELECT r.root, p_at, p_author, 'restore', 'accept', p_reason, false
  FROM (
    SELECT a.root FROM config_address a JOIN shard_fence f USING (shard)
    WHERE f.behind IS NOT NULL
    UNION
    SELECT split_part(split_part(a.address ->> 'address', '/', 1), ':', 1)
    FROM shard_fence f, json_array_elements(f.behind::json -> 'addresses') a(address)
    WHERE f.behind IS NOT NULL) r(root)
  ORDER BY r.root;
  UPDATE shard_fence f SET behind = NULL WHERE f.behind IS NOT NULL;
  RETURN accepted;
END $pawl$`;

/** What `pausedFor` of a release in stages says from then on. */
const PAUSED_FOR =
  'a restore was accepted, and what was decided of this release since the copy is lost: look, then resume or abort it';

/**
 * As {@link ACCEPT_RESTORE_AS_SEEN}, and pauses what was rolling in shards that were read-only: it may have
 * been stopped since the copy was made. The text of a release is replaced as text, since PostgreSQL reads no
 * JSON with U+0000 in it; what is rolling is paused for nothing, and a string has no quotes that are not escaped.
 */
export const ACCEPT_RESTORE_PAUSING = ACCEPT_RESTORE_AS_SEEN.replace(
  'CREATE FUNCTION',
  'CREATE OR REPLACE FUNCTION',
).replace(
  '  UPDATE shard_fence f SET behind = NULL',
  `  WITH paused AS (
    UPDATE config_address a SET state = 'paused', release_version = a.release_version + 1,
      staged = replace(a.staged, '"pausedFor":null', '"pausedFor":' || to_json('${PAUSED_FOR}'::text))
    FROM shard_fence f
    WHERE f.shard = a.shard AND f.behind IS NOT NULL AND a.state = 'rolling'
    RETURNING a.address, a.release_version, a.candidate_version)
  INSERT INTO history_entry (
    address, at, author, kind, action, version, release_version, reason, forced)
  SELECT p.address, p_at, p_author, 'release', 'pause', p.candidate_version, p.release_version,
    '${PAUSED_FOR}', false
  FROM paused p ORDER BY p.address;
  UPDATE shard_fence f SET behind = NULL`,
);
