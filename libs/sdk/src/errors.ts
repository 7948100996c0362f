/**
 * What went wrong, for programs.
 *
 * Rejections of `connect`, `open`: `bad-options`, `bad-address`, `already-open`, `too-many-scopes`,
 * `no-snapshot`, `closed`. All others arrive as `error` events; the consumer goes on with what it has.
 */
export type PawlErrorCode =
  | 'bad-options'
  | 'bad-address'
  | 'already-open'
  | 'too-many-scopes'
  | 'no-snapshot'
  | 'closed'
  | 'malformed-message'
  | 'hash-mismatch'
  | 'foreign-installation'
  | 'version-conflict'
  | 'snapshot-missing'
  | 'content-missing'
  | 'content-mismatch'
  | 'callback-failed'
  | 'cache-unavailable'
  | 'cache-locked'
  | 'cache-corrupt'
  | 'cache-write-failed'
  | 'crash-loop'
  | 'permission-denied'
  | 'connection-refused'
  | 'connection-failed';

/** Codes after which nothing gets better unless somebody changes something. */
const FINAL: ReadonlySet<PawlErrorCode> = new Set<PawlErrorCode>([
  'bad-options',
  'bad-address',
  'already-open',
  'too-many-scopes',
  'closed',
  'foreign-installation',
  'version-conflict',
  'callback-failed',
  'cache-locked',
  'permission-denied',
]);

/** Every error that the SDK throws or reports. The message says what happened and what to do. */
export class PawlError extends Error {
  override readonly name = 'PawlError';
  /** Whether the SDK goes on trying by itself, or the same call may succeed later. */
  readonly recoverable: boolean;

  constructor(
    readonly code: PawlErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.recoverable = !FINAL.has(code);
  }
}

/** What was thrown if it is one of ours, else wrapped under `code`. */
export function asPawlError(thrown: unknown, code: PawlErrorCode): PawlError {
  if (thrown instanceof PawlError) return thrown;
  return new PawlError(code, messageOf(thrown), { cause: thrown });
}

/** The message of anything that was thrown; never throws itself. */
export function messageOf(thrown: unknown): string {
  try {
    if (thrown instanceof Error && thrown.message !== '') return thrown.message;
    return String(thrown);
  } catch {
    return 'an error without a message';
  }
}

const LONE_SURROGATES = /[\uD800-\uDFFF]/gu;

/** At most `length` UTF-16 units of a text, well formed whatever was cut or was wrong before. */
export function shorten(text: string, length: number): string {
  return text.slice(0, length).replace(LONE_SURROGATES, '\uFFFD');
}
