import { Check, Column, Entity, PrimaryColumn } from 'typeorm';
import { safeInteger } from './transformers.js';

/** Whose truth this database is: one row, made at the first start. */
@Entity('installation')
@Check('installation_singleton_check', 'singleton')
export class InstallationEntity {
  @PrimaryColumn({ type: 'boolean', primaryKeyConstraintName: 'installation_pkey' })
  singleton!: true;

  @Column({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ type: 'integer' })
  shards!: number;

  @Column({ type: 'bigint', transformer: safeInteger })
  generation!: number;

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3 })
  createdAt!: Date;

  /** Since when it is kept what consumers ran. */
  @Column({ name: 'runs_since', type: 'timestamptz', precision: 3, default: () => 'now()' })
  runsSince!: Date;
}
