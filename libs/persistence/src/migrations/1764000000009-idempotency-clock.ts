import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SWEEP_ROUTED_TOO } from './1764000000006-routed-keys.js';

/** Whatever the clock of whoever commits says. */
const MADE_NOW = `
CREATE FUNCTION pawl_made_now() RETURNS trigger LANGUAGE plpgsql AS $pawl$
BEGIN
  NEW.created_at := clock_timestamp();
  RETURN NEW;
END $pawl$`;

/** As {@link SWEEP_ROUTED_TOO}, by ages in milliseconds instead of times of whoever asks. */
const SWEEP_BY_AGE = `
CREATE FUNCTION pawl_sweep_idempotency(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_all_ms bigint, p_limit integer, p_routed_ms bigint
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  before timestamptz := clock_timestamp() - p_all_ms * interval '1 millisecond';
  routed_before timestamptz := clock_timestamp() - p_routed_ms * interval '1 millisecond';
  swept integer;
  routed integer := 0;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  DELETE FROM idempotency_record r WHERE r.key IN (
    SELECT o.key FROM idempotency_record o
    WHERE o.shard = p_shard AND o.created_at < before LIMIT p_limit);
  GET DIAGNOSTICS swept = ROW_COUNT;
  IF swept < p_limit THEN
    DELETE FROM idempotency_record r WHERE r.key IN (
      SELECT o.key FROM idempotency_record o
      WHERE o.shard = p_shard AND o.created_at < routed_before AND starts_with(o.key, 'routed ')
      LIMIT p_limit - swept);
    GET DIAGNOSTICS routed = ROW_COUNT;
  END IF;
  RETURN swept + routed;
END $pawl$`;

/**
 * Lets PostgreSQL's clock alone decide how old an idempotency key is: a node whose clock was wrong swept keys
 * that were needed, and a command sent again was done twice. Nodes of before cannot sweep any more.
 */
export class IdempotencyClock1764000000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(MADE_NOW);
    await runner.query(
      `CREATE TRIGGER made_now BEFORE INSERT ON idempotency_record
       FOR EACH ROW EXECUTE FUNCTION pawl_made_now()`,
    );
    await runner.query('DROP FUNCTION pawl_sweep_idempotency');
    await runner.query(SWEEP_BY_AGE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION pawl_sweep_idempotency');
    await runner.query(SWEEP_ROUTED_TOO);
    await runner.query('DROP TRIGGER made_now ON idempotency_record');
    await runner.query('DROP FUNCTION pawl_made_now');
  }
}
