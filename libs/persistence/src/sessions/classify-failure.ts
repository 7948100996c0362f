import { DatabaseError } from 'pg';

/** What a failed statement means for the one who sent it. */
export type Failure =
  /** Rolled back: the fence row holds `token`, 0 when there is no row. */
  | { readonly kind: 'fenced'; readonly token: bigint }
  /** Rolled back: the shard is read-only, since PostgreSQL lacks what was seen elsewhere. */
  | { readonly kind: 'behind' }
  /** Rolled back: a row was not as expected. */
  | { readonly kind: 'conflict'; readonly what: string }
  /** Rolled back because of others: the same statement may succeed when repeated. */
  | { readonly kind: 'retry' }
  /** Not begun: what the session has prepared answers other columns by now, since somebody migrated. */
  | { readonly kind: 'stale' }
  /** Rolled back for want of time, space or a primary. */
  | { readonly kind: 'unavailable' }
  /** Rolled back: a text cannot be stored. */
  | { readonly kind: 'unstorable' }
  /** No answer, or one that ended the session: the transaction may or may not be committed. */
  | { readonly kind: 'lost' }
  /** Rolled back: a mistake of ours. */
  | { readonly kind: 'defect' };

/** Error codes that the functions of the migrations raise. */
const FENCED = 'PW001';
const CONFLICT = 'PW002';
const BEHIND = 'PW005';
const FOREIGN_INSTALLATION = 'PW004';

/** Also what PostgreSQL cannot do at all, which it says again. */
const CACHED_PLAN = '0A000';
const RETRY = new Set(['40001', '40P01']);
/** Query cancelled (statement time-out), lock time-out, read-only transaction (a standby). */
const UNAVAILABLE = new Set(['57014', '55P03', '25006', FOREIGN_INSTALLATION]);
/** Untranslatable character, invalid bytes, invalid text representation. */
const UNSTORABLE = new Set(['22P05', '22021', '22P02']);
/** Operator intervention, connection and transaction time-outs: PostgreSQL ends the session. */
const SESSION_ENDED = /^(57P0\d|08...|25P0[34])$/;
/** Insufficient resources: disk, memory, connections. */
const OUT_OF_RESOURCES = /^53/;

/** Judges the error of a statement that was sent (errors of connecting never reach it). */
export function classifyFailure(error: unknown): Failure {
  if (!(error instanceof DatabaseError) || error.code === undefined) return { kind: 'lost' };
  const { code } = error;
  if (code === FENCED) return { kind: 'fenced', token: BigInt(error.detail ?? 0) };
  if (code === CONFLICT) return { kind: 'conflict', what: error.message };
  if (code === BEHIND) return { kind: 'behind' };
  if (code === CACHED_PLAN) return { kind: 'stale' };
  if (RETRY.has(code)) return { kind: 'retry' };
  if (UNAVAILABLE.has(code) || OUT_OF_RESOURCES.test(code)) return { kind: 'unavailable' };
  if (UNSTORABLE.has(code)) return { kind: 'unstorable' };
  return SESSION_ENDED.test(code) ? { kind: 'lost' } : { kind: 'defect' };
}
