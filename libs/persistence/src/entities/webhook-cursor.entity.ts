import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How far one endpoint of webhooks was told of the history, and who tells it. */
@Entity('webhook_cursor')
export class WebhookCursorEntity {
  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'webhook_cursor_pkey',
  })
  endpoint!: string;

  /** Of `history_entry`: everything up to it was sent, or given up. */
  @Column({ type: 'bigint' })
  sequence!: string;

  /** How often the next one was tried without success. */
  @Column({ type: 'integer' })
  failures!: number;

  /** It is not tried again before. */
  @Column({ name: 'not_before', type: 'timestamptz', precision: 3, nullable: true })
  notBefore!: Date | null;

  /** The node that sends; nobody else does before `held_until`. */
  @Column({ type: 'text', nullable: true })
  holder!: string | null;

  @Column({ name: 'held_until', type: 'timestamptz', precision: 3, nullable: true })
  heldUntil!: Date | null;
}
