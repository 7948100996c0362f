import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COMMIT } from './commit-function.sql.js';
import {
  ENTER,
  MARK_PUBLISHED,
  RAISE_FENCE,
  SAVE_CONSUMERS,
  SWEEP_CONSUMERS,
  SWEEP_IDEMPOTENCY,
} from './fence-functions.sql.js';

const FUNCTIONS = [
  ENTER,
  RAISE_FENCE,
  COMMIT,
  MARK_PUBLISHED,
  SWEEP_IDEMPOTENCY,
  SAVE_CONSUMERS,
  SWEEP_CONSUMERS,
];

/** The functions through which alone the tables are written, each in one round trip. */
export class Functions1764000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const definition of FUNCTIONS) await runner.query(definition);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const definition of FUNCTIONS.toReversed()) {
      const name = /CREATE FUNCTION (\w+)/.exec(definition)?.[1];
      if (name !== undefined) await runner.query(`DROP FUNCTION ${name}`);
    }
  }
}
