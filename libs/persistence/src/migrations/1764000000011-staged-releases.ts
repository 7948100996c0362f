import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COMMIT_ALL_ENTERED, COMMIT_ENTERED } from './commit-entry.sql.js';
import { COMMIT_ALL_STAGED, COMMIT_STAGED } from './staged-releases.sql.js';

/** Nodes of before would keep the state without what it is about. */
const REFUSE_UNDER_WAY = `
DO $pawl$
BEGIN
  IF EXISTS (SELECT FROM config_address a WHERE a.staged IS NOT NULL) THEN
    RAISE EXCEPTION 'releases in stages are under way: let them end, or abort them first';
  END IF;
END $pawl$`;

/**
 * Keeps releases in stages, and what snapshots say of them. A node of before that runs on keeps its part
 * of the addresses without a release in stages, and cannot change the state of those with one.
 */
export class StagedReleases1764000000011 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE config_address ADD COLUMN staged text, ADD COLUMN candidate_version bigint',
    );
    await runner.query(
      `ALTER TABLE config_snapshot ADD COLUMN releases text NOT NULL DEFAULT '[]',
        ADD COLUMN cohorts json NOT NULL DEFAULT '{}'`,
    );
    for (const made of [COMMIT_STAGED, COMMIT_ALL_STAGED]) await runner.query(made);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(REFUSE_UNDER_WAY);
    for (const replaced of [COMMIT_ENTERED, COMMIT_ALL_ENTERED]) await runner.query(replaced);
    await runner.query('ALTER TABLE config_snapshot DROP COLUMN releases, DROP COLUMN cohorts');
    await runner.query(
      'ALTER TABLE config_address DROP COLUMN staged, DROP COLUMN candidate_version',
    );
  }
}
