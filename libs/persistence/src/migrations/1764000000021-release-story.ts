import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ACCEPT_RESTORE_PAUSING } from './accept-restore.sql.js';
import { COMMIT_ALL_PINNED, COMMIT_PINNED } from './pinned-layers.sql.js';
import { ACCEPT_RESTORE_TOLD, COMMIT_ALL_TOLD, COMMIT_TOLD } from './release-story.sql.js';

/**
 * Says of each line of history which release in stages it is about, and keeps how each ended. Lines that are
 * there say nothing of it, and neither do those of a node of before that runs on. The columns write no line
 * again, but all migrations are one transaction: nobody reads or writes the history until both indexes
 * are made, for which it is read twice, some seconds for ten million lines.
 */
export class ReleaseStory1764000000021 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE history_entry ADD COLUMN release_id text COLLATE "C",
        ADD COLUMN policy_address text COLLATE "C", ADD COLUMN policy_version bigint,
        ADD COLUMN ended json`,
    );
    await runner.query(
      `CREATE INDEX history_entry_of_release ON history_entry (release_id, sequence)
       WHERE release_id IS NOT NULL`,
    );
    await runner.query(
      'CREATE INDEX history_entry_ended ON history_entry (sequence) WHERE ended IS NOT NULL',
    );
    for (const made of [COMMIT_TOLD, COMMIT_ALL_TOLD, ACCEPT_RESTORE_TOLD]) {
      await runner.query(made);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const replaced of [COMMIT_PINNED, COMMIT_ALL_PINNED, ACCEPT_RESTORE_PAUSING]) {
      await runner.query(replaced);
    }
    await runner.query(
      `ALTER TABLE history_entry DROP COLUMN release_id, DROP COLUMN policy_address,
        DROP COLUMN policy_version, DROP COLUMN ended`,
    );
  }
}
