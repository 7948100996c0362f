import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COMMIT_ALL_QUEUED, COMMIT_QUEUED } from './queued-releases.sql.js';
import { COMMIT_ALL_MERGED, COMMIT_MERGED } from './merge-origin.sql.js';

/** Nodes of before would never begin them. */
const REFUSE_QUEUED = `
DO $pawl$
BEGIN
  IF EXISTS (SELECT FROM config_address a WHERE a.queued IS NOT NULL) THEN
    RAISE EXCEPTION 'promotes are queued or scheduled: let them begin, or cancel them first';
  END IF;
END $pawl$`;

/**
 * Keeps promotes that begin later. A node of before that runs on keeps its part of the addresses without
 * one, and cannot change the release state of those with one.
 */
export class QueuedReleases1764000000015 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE config_address ADD COLUMN queued text');
    await runner.query(
      'CREATE INDEX config_address_queued ON config_address (address) WHERE queued IS NOT NULL',
    );
    for (const made of [COMMIT_QUEUED, COMMIT_ALL_QUEUED]) await runner.query(made);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(REFUSE_QUEUED);
    for (const replaced of [COMMIT_MERGED, COMMIT_ALL_MERGED]) await runner.query(replaced);
    await runner.query('ALTER TABLE config_address DROP COLUMN queued');
  }
}
