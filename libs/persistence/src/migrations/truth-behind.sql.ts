import { APPLY } from './commit-function.sql.js';

/**
 * Refuses, as a fence does, so that the owner loads anew: when the fence row has counted fewer commits
 * than the owner knows of (PostgreSQL lost some), when the generation is another than the owner's, and
 * while the shard is read-only because PostgreSQL is behind.
 */
export const CHECK_KNOWN = `
CREATE FUNCTION pawl_check_known(
  p_shard integer, p_token bigint, p_generation bigint, p_commits bigint
) RETURNS void LANGUAGE plpgsql VOLATILE AS $pawl$
BEGIN
  IF NOT EXISTS (
    SELECT FROM shard_fence f, installation i
    WHERE f.shard = p_shard AND f.behind IS NULL
      AND f.commits >= coalesce(p_commits, f.commits)
      AND i.generation = coalesce(p_generation, i.generation))
  THEN
    RAISE EXCEPTION USING ERRCODE = 'PW001',
      MESSAGE = format('shard %s is read-only here, or was loaded from another truth', p_shard),
      DETAIL = p_token::text;
  END IF;
END $pawl$`;

/** Counts a transaction that commits changesets; at its end, since it locks the fence row. */
export const COUNT_COMMIT = `
CREATE FUNCTION pawl_count_commit(p_shard integer) RETURNS bigint LANGUAGE sql VOLATILE AS $pawl$
  UPDATE shard_fence f SET commits = f.commits + 1 WHERE f.shard = p_shard RETURNING f.commits
$pawl$`;

/**
 * As `pawl_commit` was. Also told the generation and the number of commits that the owner knows of
 * (null: unknown); answers how many there are now.
 */
export const COMMIT_COUNTED = `
CREATE FUNCTION pawl_commit(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_root text,
  p_definitions json, p_releases json, p_snapshots json, p_opened text[], p_forgotten text[],
  p_history json, p_idempotency json, p_texts text[],
  p_generation bigint DEFAULT NULL, p_commits bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  item record;
  written integer;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  PERFORM pawl_check_known(p_shard, p_token, p_generation, p_commits);

  ${APPLY}
  RETURN pawl_count_commit(p_shard);
END $pawl$`;

/** The same for `pawl_commit_all`: one transaction counts once. */
export const COMMIT_ALL_COUNTED = `
CREATE FUNCTION pawl_commit_all(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_changesets json,
  p_texts text[], p_generation bigint DEFAULT NULL, p_commits bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  p_root text;
  p_definitions json;
  p_releases json;
  p_snapshots json;
  p_opened text[];
  p_forgotten text[];
  p_history json;
  p_idempotency json;
  item record;
  written integer;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  PERFORM pawl_check_known(p_shard, p_token, p_generation, p_commits);

  FOR p_root, p_definitions, p_releases, p_snapshots, p_opened, p_forgotten, p_history, p_idempotency
  IN SELECT c.root, c.definitions, c.releases, c.snapshots, c.opened, c.forgotten, c.history,
      c.idempotency
    FROM json_to_recordset(p_changesets) AS c(
      root text, definitions json, releases json, snapshots json, opened text[], forgotten text[],
      history json, idempotency json)
  LOOP
  ${APPLY}
  END LOOP;
  RETURN pawl_count_commit(p_shard);
END $pawl$`;

/** RFC 3339 in UTC with milliseconds. */
export const NOW = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * As `pawl_raise_fence` was, and compares what is here with what is remembered of the shard elsewhere
 * (generation, token under which commits were last counted, commits; null: nothing): where that is more, PostgreSQL has
 * lost something, and the shard becomes read-only, in the transaction that overwrites the token.
 */
export const RAISE_FENCE_REMEMBERED = `
CREATE FUNCTION pawl_raise_fence(
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
        AND l.classid = p_lock::oid AND l.objid = p_shard::oid AND l.objsubid = 2;
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
 * Makes a shard read-only because JetStream holds, of these addresses, what PostgreSQL lacks:
 * `[{address, held, has}]`, which replaces what was found so before. Answers all that is known now.
 */
export const DECLARE_BEHIND = `
CREATE FUNCTION pawl_declare_behind(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_generation bigint,
  p_addresses json
) RETURNS text LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  known text;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  UPDATE shard_fence f
  SET behind = json_build_object(
    'since', coalesce(f.behind::json ->> 'since', ${NOW}),
    'remembered', f.behind::json -> 'remembered',
    'addresses', p_addresses)
  FROM installation i
  WHERE f.shard = p_shard AND i.generation = p_generation
  RETURNING f.behind INTO known;
  IF known IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'PW001',
      MESSAGE = format('shard %s was loaded from another generation', p_shard),
      DETAIL = p_token::text;
  END IF;
  RETURN known;
END $pawl$`;

/**
 * Accepts that PostgreSQL is the truth as it is: raises the generation above every one that was seen,
 * ends read-only shards, and writes to the history of their roots who said so and why. Holds the locks
 * of all shards, so that nothing is being committed. Refuses another installation's database. Answers the generation then, null when nothing
 * was behind.
 */
export const ACCEPT_RESTORE = `
CREATE FUNCTION pawl_accept_restore(
  p_lock integer, p_installation uuid, p_author text, p_reason text, p_at timestamptz
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
