import type { MigrationInterface, QueryRunner } from 'typeorm';
import { RAISE_FENCE_SPARING } from './accept-restore.sql.js';

const KEEPS_THE_FIRST = 'behind = coalesce(f.behind, excluded.behind)';

/** Of a shard that is read-only already: the rest of what is known stays. */
const TAKES_THE_HIGHEST = `behind = CASE
        WHEN (excluded.behind::json -> 'remembered' ->> 'generation')::bigint
          > coalesce((f.behind::json -> 'remembered' ->> 'generation')::bigint, 0)
        THEN (excluded.behind::jsonb || coalesce(f.behind::jsonb - 'remembered', '{}'))::text
        ELSE coalesce(f.behind, excluded.behind) END`;

/** As {@link RAISE_FENCE_SPARING}, and a higher generation that is remembered counts also where one was. */
const RAISE_FENCE_HIGHEST = RAISE_FENCE_SPARING.replace(KEEPS_THE_FIRST, TAKES_THE_HIGHEST);

/**
 * Lets a restore be accepted where a copy of a read-only shard took the place of a truth in which that was
 * accepted: what was found first told an earlier generation, above which nobody may accept.
 */
export class HighestRemembered1764000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(RAISE_FENCE_HIGHEST);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(RAISE_FENCE_SPARING);
  }
}
