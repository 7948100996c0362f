/** One thing that is wrong, at an address and a JSON Pointer (RFC 6901) inside its document. */
export interface ProblemError {
  readonly address: string;
  readonly pointer: string;
  readonly keyword?: string;
  readonly message: string;
}

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
}

/** The error registry: every problem code that Pawl answers, on REST and between nodes. */
export const PROBLEMS = {
  'malformed-json': { status: 400, title: 'The body is not JSON', retryable: false },
  'malformed-request': { status: 400, title: 'The request is malformed', retryable: false },
  'malformed-address': { status: 400, title: 'Not an address', retryable: false },
  'malformed-precondition': { status: 400, title: 'Not a precondition', retryable: false },
  'unknown-action': { status: 400, title: 'Unknown action', retryable: false },
  'unknown-strategy': { status: 400, title: 'Unknown strategy', retryable: false },
  'duplicate-key': { status: 400, title: 'A key occurs twice', retryable: false },
  'forbidden-key': { status: 400, title: 'A key is not allowed', retryable: false },
  'lone-surrogate': { status: 400, title: 'A string is not Unicode', retryable: false },
  'number-not-representable': {
    status: 400,
    title: 'A number is not representable',
    retryable: false,
  },
  'unknown-directive': { status: 400, title: 'Unknown $pawl directive', retryable: false },
  'not-an-object': { status: 400, title: 'A document is a JSON object', retryable: false },
  'forbidden-origin': { status: 403, title: 'Not from another web page', retryable: false },
  'misdirected-request': { status: 421, title: 'Not the name of this server', retryable: false },
  'not-found': { status: 404, title: 'Not found', retryable: false },
  'unknown-release': { status: 404, title: 'No such release', retryable: false },
  'version-unknown': { status: 404, title: 'No such version', retryable: false },
  'method-not-allowed': { status: 405, title: 'Not this method', retryable: false },
  'request-timeout': { status: 408, title: 'The request took too long', retryable: true },
  'invalid-transition': { status: 409, title: 'Not possible in this state', retryable: false },
  'use-rollback': { status: 409, title: 'That would go back', retryable: false },
  'use-promote': { status: 409, title: 'That would go forward', retryable: false },
  'release-in-flight': { status: 409, title: 'A release is under way', retryable: false },
  'release-queued': { status: 409, title: 'A release is queued', retryable: false },
  'too-many-releases': { status: 409, title: 'Too many releases under way', retryable: false },
  frozen: { status: 409, title: 'Nothing goes forward now', retryable: false },
  'strategy-required': { status: 409, title: 'A strategy is required', retryable: false },
  'version-blocked': { status: 409, title: 'The version is blocked', retryable: false },
  'truth-behind': { status: 409, title: 'PostgreSQL is behind', retryable: false },
  'restore-changed': {
    status: 409,
    title: 'Not what was looked at',
    retryable: false,
  },
  'merge-conflict': { status: 409, title: 'Both sides changed the same', retryable: false },
  'merge-base-required': { status: 409, title: 'Nothing was merged yet', retryable: false },
  'patch-failed': { status: 409, title: 'The patch does not apply', retryable: false },
  'still-running': { status: 409, title: 'The first request still runs', retryable: true },
  'version-mismatch': { status: 412, title: 'Another version is there', retryable: false },
  'too-large': { status: 413, title: 'Too large', retryable: false },
  'too-deep': { status: 413, title: 'Nested too deeply', retryable: false },
  'wrong-content-type': { status: 415, title: 'Wrong content type', retryable: false },
  'wrong-content-encoding': { status: 415, title: 'Wrong content encoding', retryable: false },
  'expectation-failed': { status: 417, title: 'Not what can be expected', retryable: false },
  'schema-violation': { status: 422, title: 'The schema refuses this', retryable: false },
  'schema-invalid': { status: 422, title: 'Not a usable JSON Schema', retryable: false },
  'schema-draft': { status: 422, title: 'Unknown schema draft', retryable: false },
  'schema-reference': { status: 422, title: 'A reference leaves the schema', retryable: false },
  'validation-timeout': { status: 422, title: 'Validation took too long', retryable: false },
  'idempotency-key-reused': {
    status: 422,
    title: 'The key was used with another request',
    retryable: false,
  },
  'precondition-required': { status: 428, title: 'A precondition is required', retryable: false },
  'too-many-requests': { status: 429, title: 'Too many requests', retryable: true },
  internal: { status: 500, title: 'Internal error', retryable: true },
  'no-owner': { status: 503, title: 'Nobody owns this shard just now', retryable: true },
  'truth-unavailable': { status: 503, title: 'PostgreSQL does not answer', retryable: true },
  'outcome-unknown': { status: 503, title: 'The outcome is not known', retryable: true },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** What went wrong, as a value: use-cases return it, controllers render it (RFC 9457). */
export interface Problem {
  readonly code: ProblemCode;
  /** What happened and what to do next. */
  readonly detail: string;
  readonly errors?: readonly ProblemError[];
  readonly currentVersion?: number;
  readonly currentReleaseVersion?: number;
}

/** `application/problem+json`, RFC 9457. */
export interface ProblemDocument extends Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
}

export function problem(
  code: ProblemCode,
  detail: string,
  extra: Omit<Problem, 'code' | 'detail'> = {},
): Problem {
  return { code, detail, ...extra };
}

export function problemDocument(from: Problem): ProblemDocument {
  const kind = PROBLEMS[from.code];
  return {
    type: `urn:pawl:problem:${from.code}`,
    title: kind.title,
    status: kind.status,
    ...from,
  };
}

/** A value or the problem that stood in its way. */
export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

export function done<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function refused(
  code: ProblemCode,
  detail: string,
  extra: Omit<Problem, 'code' | 'detail'> = {},
): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: problem(code, detail, extra) };
}
