import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { safeInteger } from './transformers.js';

const primaryKeyConstraintName = 'snapshot_published_pkey';

/** When a snapshot of an address that consumers have open was published. */
@Entity('snapshot_published')
@Index('snapshot_published_shard', ['shard', 'at'])
export class SnapshotPublishedEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  address!: string;

  @PrimaryColumn({ type: 'timestamptz', precision: 3, primaryKeyConstraintName })
  at!: Date;

  @Column({ type: 'integer' })
  shard!: number;

  @Column({ type: 'bigint', transformer: safeInteger })
  generation!: number;

  @Column({ type: 'bigint', transformer: safeInteger })
  version!: number;
}
