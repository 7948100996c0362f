import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The first answer to a request with an idempotency key, kept until it is swept. */
@Entity('idempotency_record')
@Index('idempotency_record_age', ['shard', 'createdAt'])
@Index('idempotency_record_routed', ['shard', 'createdAt'], {
  where: "starts_with(key, 'routed '::text)",
})
export class IdempotencyRecordEntity {
  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'idempotency_record_pkey',
  })
  key!: string;

  @Column({ type: 'integer' })
  shard!: number;

  @Column({ type: 'text', collation: 'C' })
  root!: string;

  @Column({ name: 'request_hash', type: 'text' })
  requestHash!: string;

  @Column({ type: 'integer' })
  status!: number;

  @Column({ type: 'text' })
  body!: string;

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3 })
  createdAt!: Date;
}
