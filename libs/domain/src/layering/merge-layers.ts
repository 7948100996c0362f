import { mergeDocument } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import type { Layer } from './layer.js';

/**
 * The effective document of layers given from the root down; `null` when there is none. A pure
 * function of the documents in their order. Shares what it can with them.
 */
export function mergeLayers(layers: readonly Layer[]): JsonObject | null {
  if (layers.length === 0) return null;
  return layers.reduce<JsonObject>((below, layer) => mergeDocument(below, layer.document), {});
}
