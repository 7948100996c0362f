import { mergeDocument } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import type { Definition } from '../definition/definition.js';

/** What an address has by its layers: what is read there, and what layers below build on. */
export interface Merged {
  readonly effective: JsonObject | null;
  readonly handedDown: JsonObject | null;
}

/** Where no layer is. */
export const NOTHING_MERGED: Merged = { effective: null, handedDown: null };

/**
 * What a layer makes of what lies above it. Abstract, with a schema and no document: nothing is read
 * there, nor below it until a layer with a document comes, and that one builds on the documents above
 * as if the abstract one were not there. So whatever is read satisfies the schemas of all its layers.
 */
export function mergeLayer(
  above: Merged,
  layer: Pick<Definition, 'document' | 'schema'> | null,
): Merged {
  if (layer === null) return above;
  const { document, schema } = layer;
  if (document !== null) {
    const merged = mergeDocument(above.handedDown ?? {}, document.value);
    return { effective: merged, handedDown: merged };
  }
  return schema === null ? above : { effective: null, handedDown: above.handedDown };
}
