import type { Infer } from './infer.js';
import * as part from './parts.js';
import type { Snapshot } from './snapshot.message.js';

/**
 * Tells that a snapshot is stored. Carries the snapshot itself when all its contents are inline, so
 * that one message is all a consumer needs.
 */
export const pushSchema = {
  type: 'object',
  required: ['format', 'address', 'generation', 'version', 'hash'],
  properties: {
    format: { const: part.FORMAT },
    address: part.address,
    generation: part.version,
    version: part.version,
    hash: part.sha256,
    snapshot: { type: 'object' },
  },
} as const;

export type Push = Infer<typeof pushSchema>;

/** The push of a snapshot: with the snapshot itself when nothing of it has to be fetched. */
export function pushOf(snapshot: Snapshot): Push {
  const { address, generation, version, hash, variants } = snapshot;
  const isWhole = Object.values(variants).every(
    (variant) => variant.inline !== undefined || variant.absent === true,
  );
  const push = { format: part.FORMAT, address, generation, version, hash } as const;
  return isWhole ? { ...push, snapshot: { ...snapshot } } : push;
}
