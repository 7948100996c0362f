import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigInteger } from './transformers.js';

/** The highest token seen for a shard: who holds exactly this one may write. It only grows. */
@Entity('shard_fence')
export class ShardFenceEntity {
  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'shard_fence_pkey' })
  shard!: number;

  @Column({ type: 'bigint', transformer: bigInteger })
  token!: bigint;

  /** Node id of the owner that raised it. */
  @Column({ type: 'text' })
  owner!: string;

  /** Checked together with the token, so that a token of another installation never fits. */
  @Column({ type: 'uuid' })
  installation!: string;

  @Column({ name: 'raised_at', type: 'timestamptz', precision: 3 })
  raisedAt!: Date;

  /** Of the PostgreSQL cluster in which it was raised. */
  @Column({ name: 'system_identifier', type: 'bigint', transformer: bigInteger })
  systemIdentifier!: bigint;

  /** `<system identifier>/<timeline>` of the server on which it was raised, and holds. */
  @Column({ type: 'text', nullable: true })
  server!: string | null;

  /** Transactions that committed changesets of the shard, since it is there. */
  @Column({ type: 'bigint', default: 0, transformer: bigInteger })
  commits!: bigint;

  /** JSON of what was seen elsewhere and is not here: the shard is read-only until that is accepted. */
  @Column({ type: 'text', nullable: true })
  behind!: string | null;
}
