import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COMMIT_ALL_MERGED, COMMIT_MERGED } from './merge-origin.sql.js';
import { COMMIT_ALL_STAGED, COMMIT_STAGED } from './staged-releases.sql.js';

/** Keeps of a definition version where it was merged from: what the next merge counts from. */
export class MergeOrigin1764000000013 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE config_definition ADD COLUMN origin_address text COLLATE "C",
        ADD COLUMN origin_version bigint, ADD COLUMN origin_base_version bigint`,
    );
    await runner.query(
      `CREATE INDEX config_definition_origin ON config_definition (address, origin_address, version)
       WHERE origin_address IS NOT NULL`,
    );
    for (const made of [COMMIT_MERGED, COMMIT_ALL_MERGED]) await runner.query(made);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const replaced of [COMMIT_STAGED, COMMIT_ALL_STAGED]) await runner.query(replaced);
    await runner.query('DROP INDEX config_definition_origin');
    await runner.query(
      `ALTER TABLE config_definition DROP COLUMN origin_address, DROP COLUMN origin_version,
        DROP COLUMN origin_base_version`,
    );
  }
}
