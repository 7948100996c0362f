import type { Infer } from './infer.js';
import * as part from './parts.js';
import type { Snapshot } from './snapshot.message.js';

/** Canonical JSON up to which a push carries a snapshot whose contents lie apart, characters. */
const CARRIED = 4_096;

/**
 * Tells that a snapshot is stored. Carries the snapshot itself when all its contents are inline, so
 * that one message is all a consumer needs, and when it is small: who was asked beforehand has the
 * contents.
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

/**
 * The push of a snapshot: with the snapshot itself when nothing of it has to be fetched, or it is small.
 * `characters` is the length of its published text.
 */
export function pushOf(
  snapshot: Snapshot,
  characters: number = JSON.stringify(snapshot).length,
): Push {
  const { address, generation, version, hash, variants } = snapshot;
  const isWhole = Object.values(variants).every(
    (variant) => variant.inline !== undefined || variant.absent === true,
  );
  const push = { format: part.FORMAT, address, generation, version, hash } as const;
  return isWhole || characters <= CARRIED ? { ...push, snapshot: { ...snapshot } } : push;
}
