import { Column, Entity, PrimaryColumn } from 'typeorm';

const primaryKeyConstraintName = 'config_schema_pkey';

/** A schema that definition versions of its address name by hash; stored once. */
@Entity('config_schema')
export class ConfigSchemaEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  address!: string;

  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  hash!: string;

  /** Canonical JSON. */
  @Column({ type: 'text' })
  text!: string;
}
