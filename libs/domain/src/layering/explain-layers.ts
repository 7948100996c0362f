import { joinPointer } from '@pawl/contracts';
import type { JsonValue, Origin } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import type { Layer } from './layer.js';
import { mergeLayers } from './merge-layers.js';

/** A layer's word on one place. */
interface Voice {
  readonly value: JsonValue;
  readonly origin: Origin;
}

/**
 * Tells who set what: for the JSON Pointer of each leaf and each empty object or array of the
 * effective document (`""` when the document itself is empty), the last layer whose document speaks
 * of that place. An object that is not empty has no entry of its own. No layers, no entries.
 *
 * Pointers repeat the keys on the way, so they can be far longer than the document: `undefined` when
 * together they would have more than `maxCharacters`.
 */
export function explainLayers(
  layers: readonly Layer[],
  maxCharacters = Infinity,
): Record<string, Origin> | undefined {
  const origins: Record<string, Origin> = {};
  const effective = mergeLayers(layers);
  if (effective === null) return origins;
  const voices = layers.map(({ document, address, version, author }) => ({
    value: document,
    origin: { address, version, author },
  }));
  const explanation = { origins, left: maxCharacters };
  explainValue(effective, '', voices, explanation);
  return explanation.left < 0 ? undefined : origins;
}

interface Explanation {
  readonly origins: Record<string, Origin>;
  /** Characters that pointers may still take. */
  left: number;
}

/**
 * `voices` are the layers that speak of this place, from the root down. The last one set it: had it
 * said "delete", or one above it "replace", the place would not be there.
 */
function explainValue(
  value: JsonValue,
  pointer: string,
  voices: readonly Voice[],
  explanation: Explanation,
): void {
  explanation.left -= pointer.length;
  if (explanation.left < 0) return;
  const members = membersOf(value);
  const keys = Object.keys(members);
  if (keys.length === 0) {
    const last = voices.at(-1);
    assert(last !== undefined, 'a layer speaks of every effective place');
    explanation.origins[pointer] = last.origin;
    return;
  }
  for (const key of keys) {
    const speaking = voices.flatMap(({ value: said, origin }) => {
      const inside = membersOf(said);
      return Object.hasOwn(inside, key) ? [{ value: inside[key] as JsonValue, origin }] : [];
    });
    explainValue(members[key] as JsonValue, joinPointer(pointer, key), speaking, explanation);
  }
}

/** An object's members, an array's by index; a leaf has none. */
function membersOf(value: JsonValue): Readonly<Record<string, JsonValue>> {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, JsonValue>>)
    : {};
}
