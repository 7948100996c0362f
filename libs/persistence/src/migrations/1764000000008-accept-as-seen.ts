import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ACCEPT_RESTORE_AS_SEEN, RAISE_FENCE_SPARING } from './accept-restore.sql.js';
import { ACCEPT_RESTORE, RAISE_FENCE_REMEMBERED } from './truth-behind.sql.js';

/**
 * Accepts a restore as it was looked at only, and ends nobody who is about to. Nodes of before cannot accept
 * one any more.
 */
export class AcceptAsSeen1764000000008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(RAISE_FENCE_SPARING);
    await runner.query('DROP FUNCTION pawl_accept_restore');
    await runner.query(ACCEPT_RESTORE_AS_SEEN);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION pawl_accept_restore');
    await runner.query(ACCEPT_RESTORE);
    await runner.query(
      RAISE_FENCE_REMEMBERED.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'),
    );
  }
}
