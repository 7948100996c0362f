import { APPLY } from './commit-function.sql.js';

/**
 * As `pawl_server` was. The system identifier, which is read from a file, is kept in the session: a server
 * keeps it as long as it runs, and a session ends with its server.
 */
export const SERVER_CACHED = `
CREATE OR REPLACE FUNCTION pawl_server() RETURNS text LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  identifier text := current_setting('pawl.system_identifier', true);
BEGIN
  IF identifier IS NULL OR identifier = '' THEN
    SELECT c.system_identifier::text INTO identifier FROM pg_control_system() c;
    PERFORM set_config('pawl.system_identifier', identifier, false);
  END IF;
  RETURN identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8);
END $pawl$`;

/**
 * As {@link ENTER_ON_SERVER}, and counts a transaction that commits changesets, with the same statement that
 * compares the fence row; answers how many there are then. Refuses, as a fence does (PW001), so that the owner
 * loads anew, where the row has counted fewer than the owner knows of (PostgreSQL lost some) or the
 * generation is another (null: unknown); and with PW005 while the shard is read-only because PostgreSQL is
 * behind. Holds the fence row until the end: transactions that commit changesets of a shard go one by one.
 */
export const ENTER_TO_COMMIT = `
CREATE FUNCTION pawl_enter_to_commit(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_generation bigint, p_commits bigint
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  counted bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'PW003',
      MESSAGE = 'a shard is written in READ COMMITTED transactions only';
  END IF;
  PERFORM pg_advisory_xact_lock_shared(p_lock, p_shard);
  UPDATE shard_fence f SET commits = f.commits + 1
  FROM installation i
  WHERE f.shard = p_shard AND f.token = p_token AND f.installation = p_installation
    AND f.server = pawl_server() AND f.behind IS NULL
    AND f.commits >= coalesce(p_commits, f.commits)
    AND i.generation = coalesce(p_generation, i.generation)
  RETURNING f.commits INTO counted;
  IF counted IS NULL THEN
    PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
    IF EXISTS (SELECT FROM shard_fence f WHERE f.shard = p_shard AND f.behind IS NOT NULL) THEN
      RAISE EXCEPTION USING ERRCODE = 'PW005',
        MESSAGE = format('shard %s is read-only: PostgreSQL is behind', p_shard);
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'PW001',
      MESSAGE = format('shard %s was loaded from another truth', p_shard),
      DETAIL = p_token::text;
  END IF;
  RETURN counted;
END $pawl$`;

/** As `pawl_commit` was, entered by {@link ENTER_TO_COMMIT}. */
export const COMMIT_ENTERED = `
CREATE OR REPLACE FUNCTION pawl_commit(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_root text,
  p_definitions json, p_releases json, p_snapshots json, p_opened text[], p_forgotten text[],
  p_history json, p_idempotency json, p_texts text[],
  p_generation bigint DEFAULT NULL, p_commits bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  item record;
  written integer;
  counted bigint;
BEGIN
  counted := pawl_enter_to_commit(
    p_lock, p_installation, p_shard, p_token, p_generation, p_commits);

  ${APPLY}
  RETURN counted;
END $pawl$`;

/** The same for `pawl_commit_all`: one transaction counts once. */
export const COMMIT_ALL_ENTERED = `
CREATE OR REPLACE FUNCTION pawl_commit_all(
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
  counted bigint;
BEGIN
  counted := pawl_enter_to_commit(
    p_lock, p_installation, p_shard, p_token, p_generation, p_commits);

  FOR p_root, p_definitions, p_releases, p_snapshots, p_opened, p_forgotten, p_history, p_idempotency
  IN SELECT c.root, c.definitions, c.releases, c.snapshots, c.opened, c.forgotten, c.history,
      c.idempotency
    FROM json_to_recordset(p_changesets) AS c(
      root text, definitions json, releases json, snapshots json, opened text[], forgotten text[],
      history json, idempotency json)
  LOOP
  ${APPLY}
  END LOOP;
  RETURN counted;
END $pawl$`;
