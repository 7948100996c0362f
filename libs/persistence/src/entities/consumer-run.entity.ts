import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { safeInteger } from './transformers.js';

const primaryKeyConstraintName = 'consumer_run_pkey';

/**
 * What one incarnation of a consumer ran, or had rejected, at one address from a time on, until its next
 * row. Only ever added to, and swept: a projection, never truth.
 */
@Entity('consumer_run')
@Index('consumer_run_shard', ['shard', 'address', 'at'])
export class ConsumerRunEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  address!: string;

  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  workload!: string;

  @PrimaryColumn({ name: 'consumer_id', type: 'text', collation: 'C', primaryKeyConstraintName })
  consumerId!: string;

  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  incarnation!: string;

  @PrimaryColumn({ type: 'timestamptz', precision: 3, primaryKeyConstraintName })
  at!: Date;

  @Column({ type: 'integer' })
  shard!: number;

  @Column({ type: 'bigint', transformer: safeInteger })
  generation!: number;

  /** 0: nothing yet. */
  @Column({ type: 'bigint', transformer: safeInteger })
  version!: number;

  /** Empty: the stable one. */
  @Column({ type: 'text' })
  cohort!: string;

  @Column({ type: 'text', nullable: true })
  hash!: string | null;

  @Column({ name: 'rejected_version', type: 'bigint', nullable: true, transformer: safeInteger })
  rejectedVersion!: number | null;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;

  /** It said goodbye, or closed the address. */
  @Column({ name: 'has_left', type: 'boolean' })
  hasLeft!: boolean;
}
