import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import type { ReleaseEnd } from '@pawl/contracts';
import { safeInteger } from './transformers.js';

/** One line of history (by address) and audit (over all), written with the change itself. */
@Entity('history_entry')
@Index('history_entry_address', ['address', 'sequence'])
@Index('history_entry_at', ['at'])
@Index('history_entry_release', ['sequence'], { where: "(kind = 'release'::text)" })
@Index('history_entry_of_release', ['releaseId', 'sequence'], { where: '(release_id IS NOT NULL)' })
@Index('history_entry_ended', ['sequence'], { where: '(ended IS NOT NULL)' })
export class HistoryEntryEntity {
  @PrimaryGeneratedColumn('increment', {
    type: 'bigint',
    primaryKeyConstraintName: 'history_entry_pkey',
  })
  sequence!: string;

  @Column({ type: 'text', collation: 'C' })
  address!: string;

  @Column({ type: 'timestamptz', precision: 3 })
  at!: Date;

  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'text' })
  kind!: 'definition' | 'release';

  @Column({ type: 'bigint', nullable: true, transformer: safeInteger })
  version!: number | null;

  @Column({ name: 'release_version', type: 'bigint', nullable: true, transformer: safeInteger })
  releaseVersion!: number | null;

  @Column({ type: 'text', nullable: true })
  action!: string | null;

  @Column({ type: 'text', nullable: true })
  message!: string | null;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;

  @Column({ type: 'boolean' })
  forced!: boolean;

  /** By PostgreSQL's own clock; `at` is by that of the shard's owner. Older lines have none. */
  @Column({
    name: 'written_at',
    type: 'timestamptz',
    precision: 3,
    nullable: true,
    default: () => 'clock_timestamp()',
  })
  writtenAt!: Date | null;

  /** The release in stages that it is about. */
  @Column({ name: 'release_id', type: 'text', collation: 'C', nullable: true })
  releaseId!: string | null;

  /** Of a promote that began one by a strategy of a release policy: that policy. */
  @Column({ name: 'policy_address', type: 'text', collation: 'C', nullable: true })
  policyAddress!: string | null;

  @Column({ name: 'policy_version', type: 'bigint', nullable: true, transformer: safeInteger })
  policyVersion!: number | null;

  /** Set where the release ended with it. */
  @Column({ type: 'json', nullable: true })
  ended!: ReleaseEnd | null;
}
