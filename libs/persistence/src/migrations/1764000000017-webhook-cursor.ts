import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keeps how far each endpoint of webhooks was told of the history, which is what is sent. */
export class WebhookCursor1764000000017 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE webhook_cursor (
        endpoint text COLLATE "C" CONSTRAINT webhook_cursor_pkey PRIMARY KEY,
        sequence bigint NOT NULL,
        failures integer NOT NULL,
        not_before timestamptz(3),
        holder text,
        held_until timestamptz(3)
      )`);
    // However much else is written between two transitions, the next one is found at once.
    await runner.query(
      `CREATE INDEX history_entry_release ON history_entry (sequence) WHERE kind = 'release'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX history_entry_release');
    await runner.query('DROP TABLE webhook_cursor');
  }
}
