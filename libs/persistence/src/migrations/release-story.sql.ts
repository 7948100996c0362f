import { ACCEPT_RESTORE_PAUSING } from './accept-restore.sql.js';
import { changeOnce } from './change-once.js';
import { COMMIT_ALL_ENTERED, COMMIT_ENTERED } from './commit-entry.sql.js';
import { APPLY } from './commit-function.sql.js';
import { APPLY_PINNED } from './pinned-layers.sql.js';

/**
 * As {@link APPLY_PINNED}, and keeps of each line of history which release in stages it is about, by which
 * policy that was begun, and how it ended. A node of before leaves all of it out.
 */
export const APPLY_TOLD = changeOnce(APPLY_PINNED, [
  [
    'address, at, author, kind, version, release_version, action, message, reason, forced)',
    `address, at, author, kind, version, release_version, action, message, reason, forced,
      release_id, policy_address, policy_version, ended)`,
  ],
  [
    'h.reason, h.forced IS TRUE',
    `h.reason, h.forced IS TRUE, h."releaseId", h."policyVersion" ->> 'address',
      (h."policyVersion" ->> 'version')::bigint, h.ended`,
  ],
  [
    '"releaseVersion" bigint, action text, message text, reason text, forced boolean);',
    `"releaseVersion" bigint, action text, message text, reason text, forced boolean,
      "releaseId" text, "policyVersion" json, ended json);`,
  ],
]);

/** As `pawl_commit` was, with {@link APPLY_TOLD}. */
export const COMMIT_TOLD = COMMIT_ENTERED.replace(APPLY, () => APPLY_TOLD);

/** As `pawl_commit_all` was, likewise. */
export const COMMIT_ALL_TOLD = COMMIT_ALL_ENTERED.replace(APPLY, () => APPLY_TOLD);

/**
 * As {@link ACCEPT_RESTORE_PAUSING}, and says of which release a pause is. Its id is found as text, see there:
 * what comes before it in the text of a release has no other member of that name with a text.
 */
export const ACCEPT_RESTORE_TOLD = changeOnce(ACCEPT_RESTORE_PAUSING, [
  [
    'RETURNING a.address, a.release_version, a.candidate_version)',
    `RETURNING a.address, a.release_version, a.candidate_version,
      substring(a.staged from '"id":"([^"]+)"') AS release_id)`,
  ],
  [
    'address, at, author, kind, action, version, release_version, reason, forced)\n  SELECT p.address',
    'address, at, author, kind, action, version, release_version, reason, forced, release_id)\n  SELECT p.address',
  ],
  [
    "', false\n  FROM paused p ORDER BY p.address;",
    "', false, p.release_id\n  FROM paused p ORDER BY p.address;",
  ],
]);
