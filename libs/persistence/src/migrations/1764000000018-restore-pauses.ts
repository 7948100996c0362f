import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ACCEPT_RESTORE_AS_SEEN, ACCEPT_RESTORE_PAUSING } from './accept-restore.sql.js';

/** Who accepts a restore pauses the releases in stages that were under way when the copy was made. */
export class RestorePauses1764000000018 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ACCEPT_RESTORE_PAUSING);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      ACCEPT_RESTORE_AS_SEEN.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'),
    );
  }
}
