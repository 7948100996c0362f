import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ENTER, RAISE_FENCE } from './fence-functions.sql.js';

/**
 * What writes here: `<system identifier>/<timeline>`. A restart keeps both, a promoted standby goes on
 * on another timeline. That of the control file stays the old one from a promotion until its
 * checkpoint is done, so the one that WAL is written on counts. Fails on a standby.
 */
export const SERVER = `
CREATE FUNCTION pawl_server() RETURNS text LANGUAGE sql VOLATILE AS $pawl$
  SELECT c.system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
  FROM pg_control_system() c
$pawl$`;

/**
 * As {@link ENTER}, and on the server on which the fence was raised only: a promoted standby may lack
 * writes that the owner has acknowledged, so the owner has to raise the fence there and load anew first.
 */
export const ENTER_ON_SERVER = `
CREATE OR REPLACE FUNCTION pawl_enter(
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
  SELECT f.token, f.installation, f.server INTO held FROM shard_fence f WHERE f.shard = p_shard;
  IF held.token IS DISTINCT FROM p_token OR held.installation <> p_installation
    OR held.server IS DISTINCT FROM pawl_server()
  THEN
    RAISE EXCEPTION USING ERRCODE = 'PW001',
      MESSAGE = format('shard %s is fenced', p_shard),
      DETAIL = coalesce(held.token, 0)::text;
  END IF;
END $pawl$`;

/** As {@link RAISE_FENCE}, and records the server, also when the row holds this owner's token already. */
export const RAISE_FENCE_ON_SERVER = `
CREATE OR REPLACE FUNCTION pawl_raise_fence(
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
  INSERT INTO shard_fence AS f (
    shard, token, owner, installation, raised_at, system_identifier, server)
  SELECT p_shard, p_token, p_owner, p_installation, clock_timestamp(), c.system_identifier,
    pawl_server()
  FROM pg_control_system() c
  ON CONFLICT (shard) DO UPDATE
    SET token = excluded.token, owner = excluded.owner, installation = excluded.installation,
      raised_at = excluded.raised_at, system_identifier = excluded.system_identifier,
      server = excluded.server
    WHERE f.token < excluded.token OR (f.token = excluded.token AND f.owner = excluded.owner);
  SELECT f.token = p_token AND f.owner = p_owner INTO raised
  FROM shard_fence f WHERE f.shard = p_shard;
  RETURN raised;
END $pawl$`;

/** Fences hold on the server on which they were raised. */
export class FenceServer1764000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SERVER);
    // Unknown for fences that are raised already: their owners raise them again before they write.
    await runner.query('ALTER TABLE shard_fence ADD COLUMN server text');
    await runner.query(ENTER_ON_SERVER);
    await runner.query(RAISE_FENCE_ON_SERVER);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const definition of [RAISE_FENCE, ENTER]) {
      await runner.query(definition.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'));
    }
    await runner.query('ALTER TABLE shard_fence DROP COLUMN server');
    await runner.query('DROP FUNCTION pawl_server');
  }
}
