import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Says of each line of history when PostgreSQL wrote it, keeps how each endpoint of webhooks does, and of
 * which addresses something was not taken there.
 */
export class WebhooksSetAside1764000000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // In two steps, so that no line is written again: those that are there have no such time.
    await runner.query('ALTER TABLE history_entry ADD COLUMN written_at timestamptz(3)');
    await runner.query(
      'ALTER TABLE history_entry ALTER COLUMN written_at SET DEFAULT clock_timestamp()',
    );
    await runner.query(`
      ALTER TABLE webhook_cursor
        ADD COLUMN failing_since timestamptz(3),
        ADD COLUMN gone_at timestamptz(3),
        ADD COLUMN reason text`);
    await runner.query(`
      CREATE TABLE webhook_set_aside (
        endpoint text COLLATE "C" NOT NULL,
        address text COLLATE "C" NOT NULL,
        from_sequence bigint NOT NULL,
        failures integer NOT NULL,
        reason text NOT NULL,
        not_before timestamptz(3) NOT NULL,
        CONSTRAINT webhook_set_aside_pkey PRIMARY KEY (endpoint, address)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE webhook_set_aside');
    await runner.query(`
      ALTER TABLE webhook_cursor
        DROP COLUMN failing_since, DROP COLUMN gone_at, DROP COLUMN reason`);
    await runner.query('ALTER TABLE history_entry DROP COLUMN written_at');
  }
}
