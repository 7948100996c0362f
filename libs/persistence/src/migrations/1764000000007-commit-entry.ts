import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SERVER } from './1764000000004-fence-server.js';
import {
  COMMIT_ALL_ENTERED,
  COMMIT_ENTERED,
  ENTER_TO_COMMIT,
  SERVER_CACHED,
} from './commit-entry.sql.js';
import {
  CHECK_KNOWN,
  COMMIT_ALL_COUNTED,
  COMMIT_COUNTED,
  COUNT_COMMIT,
} from './truth-behind.sql.js';

const orReplace = (definition: string): string =>
  definition.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION');

/**
 * A commit compares the fence row and counts with one statement instead of three, and reads no file. A
 * commit to a read-only shard is refused with a code of its own.
 */
export class CommitEntry1764000000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const made of [SERVER_CACHED, ENTER_TO_COMMIT, COMMIT_ENTERED, COMMIT_ALL_ENTERED]) {
      await runner.query(made);
    }
    for (const name of ['pawl_check_known', 'pawl_count_commit']) {
      await runner.query(`DROP FUNCTION ${name}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const made of [CHECK_KNOWN, COUNT_COMMIT]) await runner.query(made);
    for (const replaced of [COMMIT_COUNTED, COMMIT_ALL_COUNTED, SERVER]) {
      await runner.query(orReplace(replaced));
    }
    await runner.query('DROP FUNCTION pawl_enter_to_commit');
  }
}
