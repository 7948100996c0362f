import { changeOnce } from './change-once.js';
import { COMMIT_ALL_ENTERED, COMMIT_ENTERED } from './commit-entry.sql.js';
import { APPLY } from './commit-function.sql.js';
import { APPLY_STAGED } from './staged-releases.sql.js';

/** As {@link APPLY_STAGED}, and keeps where a definition came from. A node of before leaves it out. */
export const APPLY_MERGED = changeOnce(APPLY_STAGED, [
  [
    '"createdAt" timestamptz, message text)\n    LOOP',
    `"createdAt" timestamptz, message text,
      "originAddress" text, "originVersion" bigint, "originBaseVersion" bigint)
    LOOP`,
  ],
  [
    'author, created_at, message)\n      SELECT',
    `author, created_at, message,
        origin_address, origin_version, origin_base_version)
      SELECT`,
  ],
  [
    'item."createdAt", item.message\n',
    `item."createdAt", item.message,
        item."originAddress", item."originVersion", item."originBaseVersion"\n`,
  ],
]);

/** As `pawl_commit` was, with {@link APPLY_MERGED}. */
export const COMMIT_MERGED = COMMIT_ENTERED.replace(APPLY, () => APPLY_MERGED);

/** As `pawl_commit_all` was, likewise. */
export const COMMIT_ALL_MERGED = COMMIT_ALL_ENTERED.replace(APPLY, () => APPLY_MERGED);
