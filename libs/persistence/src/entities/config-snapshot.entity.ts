import type { SnapshotInput } from '@pawl/contracts';
import type { VariantHead } from '@pawl/domain';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { safeInteger } from './transformers.js';

/** The newest snapshot of an address; (generation, version) only grows. */
@Entity('config_snapshot')
export class ConfigSnapshotEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'config_snapshot_pkey' })
  address!: string;

  @Column({ type: 'bigint', transformer: safeInteger })
  generation!: number;

  @Column({ type: 'bigint', transformer: safeInteger })
  version!: number;

  @Column({ type: 'text' })
  hash!: string;

  @Column({ type: 'json' })
  inputs!: SnapshotInput[];

  @Column({ name: 'variant_hash', type: 'text' })
  variantHash!: string;

  @Column({ name: 'variant_size', type: 'bigint', transformer: safeInteger })
  variantSize!: number;

  @Column({ name: 'variant_absent', type: 'boolean' })
  variantAbsent!: boolean;

  /** JSON of the releases in stages on the way to it, as text: as in `config_address`; it may be long. */
  @Column({ type: 'text', default: '[]' })
  releases!: string;

  /** What each other cohort reads, by its key. */
  @Column({ type: 'json', default: '{}' })
  cohorts!: Record<string, VariantHead>;

  /** What JetStream is known to hold, 0 for nothing. */
  @Column({ name: 'published_version', type: 'bigint', default: 0, transformer: safeInteger })
  publishedVersion!: number;

  @Column({ name: 'published_at', type: 'timestamptz', precision: 3, nullable: true })
  publishedAt!: Date | null;
}
