import type { ConsumerRunRecord } from '@pawl/engine';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

const primaryKeyConstraintName = 'consumer_status_pkey';

/** One incarnation of a consumer under one root, as last heard: a projection, never truth. */
@Entity('consumer_status')
@Index('consumer_status_shard', ['shard', 'root', 'workload', 'consumerId', 'incarnation'])
export class ConsumerStatusEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  root!: string;

  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  workload!: string;

  @PrimaryColumn({ name: 'consumer_id', type: 'text', collation: 'C', primaryKeyConstraintName })
  consumerId!: string;

  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  incarnation!: string;

  @Column({ type: 'integer' })
  shard!: number;

  @Column({ name: 'last_seen_at', type: 'timestamptz', precision: 3 })
  lastSeenAt!: Date;

  /** Said goodbye when it was last heard. */
  @Column({ name: 'has_left', type: 'boolean', default: false })
  hasLeft!: boolean;

  @Column({ type: 'text', nullable: true })
  build!: string | null;

  @Column({ type: 'integer', nullable: true })
  slot!: number | null;

  /** `json`, not `jsonb`: what consumers report may hold U+0000. */
  @Column({ type: 'json' })
  labels!: Record<string, string>;

  @Column({ type: 'json' })
  runs!: ConsumerRunRecord[];
}
