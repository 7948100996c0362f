import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SAVE_CONSUMERS } from './fence-functions.sql.js';

/** As {@link SAVE_CONSUMERS}, and whether the consumer said goodbye. */
const SAVE_CONSUMERS_WITH_LEFT = `
CREATE OR REPLACE FUNCTION pawl_save_consumers(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_records json
) RETURNS void LANGUAGE plpgsql VOLATILE AS $pawl$
BEGIN
  PERFORM pawl_enter(p_lock, p_installation, p_shard, p_token);
  INSERT INTO consumer_status AS c (
    root, workload, consumer_id, incarnation, shard, last_seen_at, has_left, build, slot, labels,
    runs)
  SELECT r.root, r.workload, r."consumerId", r.incarnation, p_shard, r."lastSeenAt", r."left",
    r.build, r.slot, r.labels::json, r.runs::json
  FROM json_to_recordset(p_records) AS r(
    root text, workload text, "consumerId" text, incarnation text, "lastSeenAt" timestamptz,
    "left" boolean, build text, slot integer, labels text, runs text)
  ON CONFLICT (root, workload, consumer_id, incarnation) DO UPDATE
    SET shard = excluded.shard, last_seen_at = excluded.last_seen_at, has_left = excluded.has_left,
      build = excluded.build, slot = excluded.slot, labels = excluded.labels, runs = excluded.runs;
END $pawl$`;

/** Keeps who said goodbye, so that a restart of the owner does not take them for live. */
export class ConsumerLeft1764000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE consumer_status ADD COLUMN has_left boolean NOT NULL DEFAULT false',
    );
    await runner.query(SAVE_CONSUMERS_WITH_LEFT);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(SAVE_CONSUMERS.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'));
    await runner.query('ALTER TABLE consumer_status DROP COLUMN has_left');
  }
}
