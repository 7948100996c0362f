import { COMMIT_ALL_ENTERED, COMMIT_ENTERED } from './commit-entry.sql.js';
import { changeOnce } from './change-once.js';
import { APPLY } from './commit-function.sql.js';

/** What {@link APPLY} does with releases and snapshots, part by part, and what is done instead. */
const CHANGES: readonly (readonly [before: string, after: string])[] = [
  [
    '"loweredAt" bigint, forced boolean, "blockedVersions" bigint[])',
    `"loweredAt" bigint, forced boolean, "blockedVersions" bigint[], staged integer,
      "candidateVersion" bigint)`,
  ],
  [
    'blocked_versions = item."blockedVersions"',
    `blocked_versions = item."blockedVersions", staged = p_texts[item.staged],
        candidate_version = nullif(item."candidateVersion", 0)`,
  ],
  [
    'AND a.release_version = item."releaseVersion" - 1;',
    `AND a.release_version = item."releaseVersion" - 1
        AND (a.staged IS NULL OR item."candidateVersion" IS NOT NULL);`,
  ],
  [
    'inputs, variant_hash, variant_size, variant_absent)',
    'inputs, variant_hash, variant_size, variant_absent,\n      releases, cohorts)',
  ],
  [
    'n."variantSize", n."variantAbsent"',
    `n."variantSize", n."variantAbsent", coalesce(p_texts[n.releases], '[]'),
      coalesce(n.cohorts, '{}')`,
  ],
  [
    '"variantSize" bigint, "variantAbsent" boolean)',
    '"variantSize" bigint, "variantAbsent" boolean,\n      releases integer, cohorts json)',
  ],
  [
    'variant_absent = excluded.variant_absent',
    `variant_absent = excluded.variant_absent,
        releases = excluded.releases, cohorts = excluded.cohorts`,
  ],
];

/**
 * As {@link APPLY}, and keeps releases in stages. `candidateVersion` is 0 where none is under way; a node
 * of before leaves it out, and is refused (PW002) where one is, since it would lose it unseen.
 */
export const APPLY_STAGED = changeOnce(APPLY, CHANGES);

/** As `pawl_commit` was, with {@link APPLY_STAGED}. */
export const COMMIT_STAGED = COMMIT_ENTERED.replace(APPLY, () => APPLY_STAGED);

/** As `pawl_commit_all` was, likewise. */
export const COMMIT_ALL_STAGED = COMMIT_ALL_ENTERED.replace(APPLY, () => APPLY_STAGED);
