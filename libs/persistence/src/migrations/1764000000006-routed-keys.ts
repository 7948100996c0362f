import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SWEEP_IDEMPOTENCY } from './fence-functions.sql.js';

/** Keys that nodes give to what they send on begin so; those of users begin with a method. */
const IS_ROUTED = "starts_with(key, 'routed ')";

/**
 * As {@link SWEEP_IDEMPOTENCY}, and deletes keys of what nodes sent on for each other that were made
 * before `p_routed_before`; within the limit that both share.
 */
export const SWEEP_ROUTED_TOO = `
CREATE FUNCTION pawl_sweep_idempotency(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint,
  p_before timestamptz, p_limit integer, p_routed_before timestamptz DEFAULT NULL
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $pawl$
DECLARE
  swept integer;
  routed integer := 0;
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  DELETE FROM idempotency_record r WHERE r.key IN (
    SELECT o.key FROM idempotency_record o
    WHERE o.shard = p_shard AND o.created_at < p_before LIMIT p_limit);
  GET DIAGNOSTICS swept = ROW_COUNT;
  IF swept < p_limit AND p_routed_before IS NOT NULL THEN
    DELETE FROM idempotency_record r WHERE r.key IN (
      SELECT o.key FROM idempotency_record o
      WHERE o.shard = p_shard AND o.created_at < p_routed_before AND ${IS_ROUTED}
      LIMIT p_limit - swept);
    GET DIAGNOSTICS routed = ROW_COUNT;
  END IF;
  RETURN swept + routed;
END $pawl$`;

/** Lets keys that nodes made for one request go before those that users keep for a day. */
export class RoutedKeys1764000000006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE INDEX idempotency_record_routed ON idempotency_record (shard, created_at)
        WHERE ${IS_ROUTED}`,
    );
    await runner.query('DROP FUNCTION pawl_sweep_idempotency');
    await runner.query(SWEEP_ROUTED_TOO);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION pawl_sweep_idempotency');
    await runner.query(SWEEP_IDEMPOTENCY);
    await runner.query('DROP INDEX idempotency_record_routed');
  }
}
