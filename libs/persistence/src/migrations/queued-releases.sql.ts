import { changeOnce } from './change-once.js';
import { COMMIT_ALL_ENTERED, COMMIT_ENTERED } from './commit-entry.sql.js';
import { APPLY } from './commit-function.sql.js';
import { APPLY_MERGED } from './merge-origin.sql.js';

/**
 * As {@link APPLY_MERGED}, and keeps promotes that begin later. `queuedVersion` is 0 where none does; a node
 * of before leaves it out, and is refused (PW002) where one does, since it would lose it unseen.
 */
export const APPLY_QUEUED = changeOnce(APPLY_MERGED, [
  [
    '"candidateVersion" bigint)',
    '"candidateVersion" bigint, queued integer, "queuedVersion" bigint)',
  ],
  [
    'staged = p_texts[item.staged],',
    'staged = p_texts[item.staged], queued = p_texts[item.queued],',
  ],
  [
    'AND (a.staged IS NULL OR item."candidateVersion" IS NOT NULL);',
    `AND (a.staged IS NULL OR item."candidateVersion" IS NOT NULL)
        AND (a.queued IS NULL OR item."queuedVersion" IS NOT NULL);`,
  ],
]);

/** As `pawl_commit` was, with {@link APPLY_QUEUED}. */
export const COMMIT_QUEUED = COMMIT_ENTERED.replace(APPLY, () => APPLY_QUEUED);

/** As `pawl_commit_all` was, likewise. */
export const COMMIT_ALL_QUEUED = COMMIT_ALL_ENTERED.replace(APPLY, () => APPLY_QUEUED);
