import { changeOnce } from './change-once.js';
import { COMMIT_ALL_ENTERED, COMMIT_ENTERED } from './commit-entry.sql.js';
import { APPLY } from './commit-function.sql.js';
import { APPLY_QUEUED } from './queued-releases.sql.js';

/**
 * As {@link APPLY_QUEUED}, and keeps what addresses are pinned to. `pinCount` is 0 where that is nothing; a node
 * of before leaves it out, and is refused (PW002) where it is something, since it would lose it unseen. So is
 * a snapshot of such an address that tells of no pin: to a node of before the pins are not there.
 */
export const APPLY_PINNED = changeOnce(APPLY_QUEUED, [
  [
    'queued integer, "queuedVersion" bigint)',
    'queued integer, "queuedVersion" bigint, pins integer, "pinCount" integer)',
  ],
  ['queued = p_texts[item.queued],', 'queued = p_texts[item.queued], pins = p_texts[item.pins],'],
  [
    'AND (a.queued IS NULL OR item."queuedVersion" IS NOT NULL);',
    `AND (a.queued IS NULL OR item."queuedVersion" IS NOT NULL)
        AND (a.pins IS NULL OR item."pinCount" IS NOT NULL);`,
  ],
  [
    'SELECT FROM config_address a WHERE a.address = n.address AND a.shard = p_shard)',
    `SELECT FROM config_address a WHERE a.address = n.address AND a.shard = p_shard
        AND (a.pins IS NULL OR strpos(n.inputs::text, '"pinnedAt"') > 0))`,
  ],
]);

/** As `pawl_commit` was, with {@link APPLY_PINNED}. */
export const COMMIT_PINNED = COMMIT_ENTERED.replace(APPLY, () => APPLY_PINNED);

/** As `pawl_commit_all` was, likewise. */
export const COMMIT_ALL_PINNED = COMMIT_ALL_ENTERED.replace(APPLY, () => APPLY_PINNED);
