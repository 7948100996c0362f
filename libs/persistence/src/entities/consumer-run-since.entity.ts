import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Since when it is known what consumers ran at an address of which there was too much to keep it all. */
@Entity('consumer_run_since')
export class ConsumerRunSinceEntity {
  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'consumer_run_since_pkey',
  })
  address!: string;

  @Column({ type: 'integer' })
  shard!: number;

  @Column({ type: 'timestamptz', precision: 3 })
  since!: Date;
}
