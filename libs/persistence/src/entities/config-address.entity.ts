import type { ReleaseStateName } from '@pawl/domain';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { safeInteger } from './transformers.js';

/** A known address with its release state; its newest version is that of its last definition. */
@Entity('config_address')
@Index('config_address_shard', ['shard', 'address'])
@Index('config_address_staged', ['address'], { where: '(staged IS NOT NULL)' })
@Index('config_address_queued', ['address'], { where: '(queued IS NOT NULL)' })
export class ConfigAddressEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'config_address_pkey' })
  address!: string;

  @Column({ type: 'text', collation: 'C' })
  root!: string;

  @Column({ type: 'integer' })
  shard!: number;

  /** Known only because a consumer opened it: it has no definition. */
  @Column({ type: 'boolean' })
  opened!: boolean;

  @Column({ type: 'text', default: 'idle' })
  state!: ReleaseStateName;

  @Column({ name: 'release_version', type: 'bigint', default: 0, transformer: safeInteger })
  releaseVersion!: number;

  @Column({ name: 'stable_version', type: 'bigint', nullable: true, transformer: safeInteger })
  stableVersion!: number | null;

  @Column({ name: 'contribution_at', type: 'bigint', default: 0, transformer: safeInteger })
  contributionAt!: number;

  @Column({ name: 'lowered_at', type: 'bigint', nullable: true, transformer: safeInteger })
  loweredAt!: number | null;

  @Column({ type: 'boolean', default: false })
  forced!: boolean;

  @Column({ name: 'blocked_versions', type: 'bigint', array: true, default: '{}' })
  blockedVersions!: string[];

  /**
   * JSON of the release in stages under way, as text: a selector may hold U+0000, which `jsonb` refuses, and
   * nobody looks inside here.
   */
  @Column({ type: 'text', nullable: true })
  staged!: string | null;

  /** That of `staged`, to find its definition by. */
  @Column({ name: 'candidate_version', type: 'bigint', nullable: true, transformer: safeInteger })
  candidateVersion!: number | null;

  /** JSON of the promote that begins later, likewise. */
  @Column({ type: 'text', nullable: true })
  queued!: string | null;

  /** JSON of what it is pinned to, likewise; `null`: nothing. */
  @Column({ type: 'text', nullable: true })
  pins!: string | null;
}
