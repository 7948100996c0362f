import { PROBLEMS } from '../problems.js';
import type { Problem, ProblemCode } from '../problems.js';
import { preflightRequestSchema } from '../rest/preflight-views.js';
import { sourceChangeSchema } from '../rest/merge-views.js';
import { problemErrorSchema } from '../rest/problem-error.js';
import { CONSUMER_STATES, releaseRequestSchema } from '../rest/views.js';
import { LIMITS } from '../limits.js';
import type { Infer } from './infer.js';
import * as part from './parts.js';

/** Something of a request's own: a document, a schema, a patch. Its owner judges it. */
const json = {} as const;
const cursor = { type: 'string', maxLength: 1024 } as const;
const limit = { type: 'integer', minimum: 1, maximum: LIMITS.pageMax } as const;
const word = { type: 'string', maxLength: 1024 } as const;

const context = {
  type: 'object',
  required: ['actor'],
  properties: {
    actor: { type: 'string', maxLength: LIMITS.actorLength },
    idempotency: {
      type: 'object',
      required: ['key', 'requestHash'],
      properties: { key: { type: 'string', maxLength: 1024 }, requestHash: part.sha256 },
    },
  },
} as const;

const precondition = {
  anyOf: [
    {
      type: 'object',
      required: ['kind'],
      properties: { kind: { enum: ['none-given', 'match-any', 'match-none'] } },
    },
    {
      type: 'object',
      required: ['kind', 'versions'],
      properties: {
        kind: { const: 'match' },
        versions: { type: 'array', items: { type: 'integer' } },
      },
    },
  ],
} as const;

/** A use-case at one address; `R` names what it cannot do without, `P` all that it takes. */
function call<const O extends string, const R extends readonly string[], const P extends object>(
  operation: O,
  required: R,
  properties: P,
): {
  readonly type: 'object';
  readonly required: readonly ['format', 'kind', 'operation', 'address', ...R];
  readonly properties: CallHead<O> & P;
} {
  return {
    type: 'object',
    required: ['format', 'kind', 'operation', 'address', ...required],
    properties: {
      format: { const: part.FORMAT },
      kind: { const: 'call' },
      operation: { const: operation },
      address: part.address,
      ...properties,
    },
  };
}

interface CallHead<O> {
  readonly format: { readonly const: typeof part.FORMAT };
  readonly kind: { readonly const: 'call' };
  readonly operation: { readonly const: O };
  readonly address: typeof part.address;
}

const write = { precondition, message: word, context } as const;

/** A request at one address that a node passes on to the address's owner. */
export const ownerCallSchema = {
  anyOf: [
    call('put-config', ['precondition', 'context', 'document'], { ...write, document: json }),
    call('patch-config', ['precondition', 'context', 'patchKind', 'patch'], {
      ...write,
      patchKind: { enum: ['merge-patch', 'json-patch'] },
      patch: json,
    }),
    call('put-schema', ['precondition', 'context', 'schema'], { ...write, schema: json }),
    call('delete-schema', ['precondition', 'context'], write),
    call('merge-config', ['precondition', 'context', 'change'], {
      ...write,
      change: sourceChangeSchema,
    }),
    call('plan-merge', ['change'], { change: sourceChangeSchema }),
    call('get-merge-base', ['from'], { from: part.address }),
    call('get-config', [], { version: part.counter }),
    call('get-schema', [], { version: part.counter }),
    call('release', ['request', 'context'], { request: releaseRequestSchema, context }),
    call('get-release', [], {}),
    call('get-effective', ['explain'], {
      explain: { type: 'boolean' },
      consumerId: word,
      workload: word,
    }),
    call('get-rollout', [], {}),
    call('sum-up-release', ['id'], { id: part.pathId }),
    call('list-consumers', ['limit'], { limit, cursor, state: { enum: CONSUMER_STATES } }),
    call('list-history', ['limit'], { limit, cursor }),
    call('diff', ['from', 'to'], { from: part.counter, to: part.counter }),
    call('preview', ['request'], { request: { type: 'object' } }),
    call('look-again', [], {}),
    call('preflight', ['request', 'id'], { request: preflightRequestSchema, id: part.pathId }),
  ],
} as const;

/** Timed work on a shard: expired idempotency keys, rows of consumers long gone, unnamed contents. */
export const sweepCommandSchema = {
  type: 'object',
  required: ['format', 'kind', 'sweep'],
  properties: {
    format: { const: part.FORMAT },
    kind: { const: 'sweep' },
    sweep: { enum: ['idempotency', 'consumers', 'contents'] },
  },
} as const;

/** What any node may ask the owner of a shard to do. */
export const ownerCommandSchema = {
  anyOf: [sweepCommandSchema, ...ownerCallSchema.anyOf],
} as const;

/**
 * The owner's answer: what the use-case gives (a sweep: how many things were removed), or the problem.
 * The code `no-owner` comes from a node that is not it, and nothing was done.
 */
export const ownerReplySchema = {
  anyOf: [
    {
      type: 'object',
      required: ['format', 'ok', 'value'],
      properties: { format: { const: part.FORMAT }, ok: { const: true }, value: json },
    },
    {
      type: 'object',
      required: ['format', 'ok', 'problem'],
      properties: {
        format: { const: part.FORMAT },
        ok: { const: false },
        problem: {
          type: 'object',
          required: ['code', 'detail'],
          properties: {
            code: { enum: Object.keys(PROBLEMS) as ProblemCode[] },
            detail: { type: 'string' },
            errors: { type: 'array', maxItems: LIMITS.errors, items: problemErrorSchema },
            currentVersion: part.counter,
            currentReleaseVersion: part.counter,
          },
        },
      },
    },
  ],
} as const;

export type OwnerCall = Infer<typeof ownerCallSchema>;
export type SweepCommand = Infer<typeof sweepCommandSchema>;
export type OwnerCommand = OwnerCall | SweepCommand;
export type OwnerReply =
  | { readonly format: typeof part.FORMAT; readonly ok: true; readonly value: unknown }
  | { readonly format: typeof part.FORMAT; readonly ok: false; readonly problem: Problem };
