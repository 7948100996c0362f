import type { JsonObject, JsonValue } from '@pawl/contracts';
import { isSame, isTree, valueAt } from './json-tree.js';
import type { Maybe } from './json-tree.js';
import type { Place, Sides } from './merge-sides.js';
import type { PointerSet } from './pointer-set.js';

interface Apart {
  /** Without what is local. */
  readonly sides: Sides;
  /** The local places at which ours has something. */
  readonly held: PointerSet<true> | undefined;
  /** A document with what ours has there. */
  putBack(merged: JsonObject): JsonObject;
}

/** Sets apart what is local; `keep` is told where theirs was changed to something else than ours. */
export function takeLocal(
  sides: Sides,
  local: PointerSet<true>,
  keep: (place: Place | null) => void,
): Apart {
  tellKept(sides, { local, place: null }, keep);
  const held = heldBy(sides.ours, local);
  return {
    sides: {
      base: without(sides.base, local),
      theirs: without(sides.theirs, local),
      ours: without(sides.ours, local),
    },
    held,
    putBack: (merged) =>
      held === undefined || held.told ? merged : withHeld(merged, held, sides.ours),
  };
}

function tellKept(
  { base, theirs, ours }: Sides,
  { local, place }: { readonly local: PointerSet<true>; readonly place: Place | null },
  keep: (place: Place | null) => void,
): void {
  if (base === undefined && theirs === undefined) return;
  if (local.told) {
    if (!isSame(base, theirs) && !isSame(ours, theirs)) keep(place);
    return;
  }
  for (const [key, below] of local.below) {
    const at = { base: valueAt(base, key), theirs: valueAt(theirs, key), ours: valueAt(ours, key) };
    tellKept(at, { local: below, place: { above: place, key } }, keep);
  }
}

function heldBy(value: Maybe, local: PointerSet<true>): PointerSet<true> | undefined {
  if (value === undefined) return undefined;
  if (local.told) return local;
  const below = new Map<string, PointerSet<true>>();
  for (const [key, each] of local.below) {
    const held = heldBy(valueAt(value, key), each);
    if (held !== undefined) below.set(key, held);
  }
  return below.size === 0 ? undefined : { told: undefined, below };
}

function without(value: Maybe, local: PointerSet<true>): Maybe {
  if (local.told) return undefined;
  if (!isTree(value)) return value;
  const rest: Record<string, JsonValue> = { ...value };
  for (const [key, below] of local.below) {
    const left = without(valueAt(value, key), below);
    if (left === undefined) delete rest[key];
    else rest[key] = left;
  }
  return rest;
}

function withHeld(value: Maybe, held: PointerSet<true>, ours: Maybe): JsonObject {
  const whole: Record<string, JsonValue> = isTree(value) ? { ...value } : {};
  for (const [key, below] of held.below) {
    const own = valueAt(ours, key);
    const back = below.told ? own : withHeld(valueAt(whole, key), below, own);
    if (back !== undefined) whole[key] = back;
  }
  return whole;
}
