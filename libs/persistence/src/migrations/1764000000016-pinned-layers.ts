import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COMMIT_ALL_PINNED, COMMIT_PINNED } from './pinned-layers.sql.js';
import { COMMIT_ALL_QUEUED, COMMIT_QUEUED } from './queued-releases.sql.js';

/** Nodes of before would let them go at once. */
const REFUSE_PINNED = `
DO $pawl$
BEGIN
  IF EXISTS (SELECT FROM config_address a WHERE a.pins IS NOT NULL) THEN
    RAISE EXCEPTION 'addresses are pinned to versions of others: unpin them first';
  END IF;
END $pawl$`;

/**
 * Keeps what addresses are pinned to. A node of before that runs on serves the shards where nothing is; where
 * something is, it changes neither that nor what is read there.
 */
export class PinnedLayers1764000000016 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE config_address ADD COLUMN pins text');
    for (const made of [COMMIT_PINNED, COMMIT_ALL_PINNED]) await runner.query(made);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(REFUSE_PINNED);
    for (const replaced of [COMMIT_QUEUED, COMMIT_ALL_QUEUED]) await runner.query(replaced);
    await runner.query('ALTER TABLE config_address DROP COLUMN pins');
  }
}
