import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { safeInteger } from './transformers.js';

const primaryKeyConstraintName = 'config_definition_pkey';

/** One immutable definition version. */
@Entity('config_definition')
@Index('config_definition_origin', ['address', 'originAddress', 'version'], {
  where: 'origin_address IS NOT NULL',
})
export class ConfigDefinitionEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName })
  address!: string;

  @PrimaryColumn({ type: 'bigint', transformer: safeInteger, primaryKeyConstraintName })
  version!: number;

  /** Canonical JSON as text, since `jsonb` refuses U+0000 and reorders; `null`: abstract. */
  @Column({ type: 'text', nullable: true })
  document!: string | null;

  @Column({ name: 'document_hash', type: 'text', nullable: true })
  documentHash!: string | null;

  /** Names a row of `config_schema` of the same address. */
  @Column({ name: 'schema_hash', type: 'text', nullable: true })
  schemaHash!: string | null;

  @Column({ type: 'text' })
  author!: string;

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3 })
  createdAt!: Date;

  @Column({ type: 'text', nullable: true })
  message!: string | null;

  /** The address that it was merged from; all three are `null` where it was written as it is. */
  @Column({ name: 'origin_address', type: 'text', collation: 'C', nullable: true })
  originAddress!: string | null;

  @Column({ name: 'origin_version', type: 'bigint', nullable: true, transformer: safeInteger })
  originVersion!: number | null;

  @Column({ name: 'origin_base_version', type: 'bigint', nullable: true, transformer: safeInteger })
  originBaseVersion!: number | null;
}
