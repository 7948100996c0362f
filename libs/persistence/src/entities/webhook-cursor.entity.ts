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

  /** Of `history_entry`: everything up to it was sent, set aside or given up. */
  @Column({ type: 'bigint' })
  sequence!: string;

  /** How often in a row something was not taken. */
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

  /** Since when nothing was taken. */
  @Column({ name: 'failing_since', type: 'timestamptz', precision: 3, nullable: true })
  failingSince!: Date | null;

  /** When it answered that it is gone. */
  @Column({ name: 'gone_at', type: 'timestamptz', precision: 3, nullable: true })
  goneAt!: Date | null;

  /** Of the last failure. */
  @Column({ type: 'text', nullable: true })
  reason!: string | null;
}
