import { FORMAT, PROBLEMS } from '@pawl/contracts';
import type { Infer, Problem, ProblemCode } from '@pawl/contracts';
import { compileShape } from '@pawl/contracts/validate';

/** What any node may ask the owner of a shard to do. */
export const ownerCommandSchema = {
  type: 'object',
  required: ['format', 'kind', 'sweep'],
  properties: {
    format: { const: FORMAT },
    kind: { const: 'sweep' },
    /** Expired idempotency keys, rows of consumers long gone, contents that nothing names. */
    sweep: { enum: ['idempotency', 'consumers', 'contents'] },
  },
} as const;

/** The owner's answer; a refusal with the code `no-owner` comes from a node that is not it. */
export const ownerCommandReplySchema = {
  anyOf: [
    {
      type: 'object',
      required: ['format', 'ok', 'removed'],
      properties: {
        format: { const: FORMAT },
        ok: { const: true },
        /** How many things were removed. */
        removed: { type: 'integer', minimum: 0 },
      },
    },
    {
      type: 'object',
      required: ['format', 'ok', 'problem'],
      properties: {
        format: { const: FORMAT },
        ok: { const: false },
        problem: {
          type: 'object',
          required: ['code', 'detail'],
          properties: {
            code: { enum: Object.keys(PROBLEMS) as ProblemCode[] },
            detail: { type: 'string' },
          },
        },
      },
    },
  ],
} as const;

export type OwnerCommand = Infer<typeof ownerCommandSchema>;
export type OwnerCommandReply =
  | { readonly format: typeof FORMAT; readonly ok: true; readonly removed: number }
  | { readonly format: typeof FORMAT; readonly ok: false; readonly problem: Problem };

const commandFaults = compileShape(ownerCommandSchema);
const replyFaults = compileShape(ownerCommandReplySchema);

export function isOwnerCommand(value: unknown): value is OwnerCommand {
  return commandFaults(value).length === 0;
}

export function isOwnerCommandReply(value: unknown): value is OwnerCommandReply {
  return replyFaults(value).length === 0;
}
