import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lets the releases under way, and what changed since a time, be read without all the rest. */
export class IncidentReads1764000000012 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'CREATE INDEX config_address_staged ON config_address (address) WHERE staged IS NOT NULL',
    );
    await runner.query('CREATE INDEX history_entry_at ON history_entry (at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX history_entry_at');
    await runner.query('DROP INDEX config_address_staged');
  }
}
