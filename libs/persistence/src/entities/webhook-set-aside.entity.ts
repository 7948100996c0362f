import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An address of which one endpoint of webhooks did not take an event; what follows there waits. */
@Entity('webhook_set_aside')
export class WebhookSetAsideEntity {
  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'webhook_set_aside_pkey',
  })
  endpoint!: string;

  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'webhook_set_aside_pkey',
  })
  address!: string;

  /** Of `history_entry`: from it on nothing of the address was sent. */
  @Column({ name: 'from_sequence', type: 'bigint' })
  fromSequence!: string;

  /** How often the next one was not taken. */
  @Column({ type: 'integer' })
  failures!: number;

  /** Of the last failure. */
  @Column({ type: 'text' })
  reason!: string;

  /** It is not tried again before. */
  @Column({ name: 'not_before', type: 'timestamptz', precision: 3 })
  notBefore!: Date;
}
