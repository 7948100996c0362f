import { isJsonObject, joinPointer } from '@pawl/contracts';
import type { JsonObject, JsonValue } from '@pawl/contracts';
import { isSame, isTree, valueAt } from './json-tree.js';
import type { Maybe } from './json-tree.js';
import { takeLocal } from './local-keys.js';
import type { Place, Sides } from './merge-sides.js';
import type { PointerSet } from './pointer-set.js';

export type MergeSide = 'ours' | 'theirs';

/** What was changed on both sides, and not to the same. */
export interface MergeConflict {
  readonly pointer: string;
  readonly base: Maybe;
  readonly theirs: Maybe;
  readonly ours: Maybe;
}

/** At most so many, and pointers of so many characters, that one is told whatever it takes. */
export interface Told<T> {
  readonly items: readonly T[];
  /** Of all. */
  readonly count: number;
}

export interface ThreeWayMerge {
  /** With ours where there is a conflict; `undefined`: no document. */
  readonly document: JsonObject | undefined;
  readonly conflicts: Told<MergeConflict>;
  /** Pointers at which theirs was changed, and ours stays because it is local. */
  readonly kept: Told<string>;
  /** Conflicts that were decided. */
  readonly resolved: number;
}

export interface MergeInput {
  /** What theirs was when both sides were the same; `undefined`: no document. */
  readonly base: JsonObject | undefined;
  readonly theirs: JsonObject | undefined;
  readonly ours: JsonObject | undefined;
  /** What stays as it is in ours, there or not; places within arrays count for nothing. */
  readonly local: PointerSet<true>;
  /** Which side a conflict takes: what is told of the longest pointer at or above it. */
  readonly resolve: PointerSet<MergeSide>;
  /** How many conflicts, and how many pointers that were kept, are told. */
  readonly limit: number;
}

/** Characters that the pointers that are told may have together. */
const MAX_CHARACTERS = 1024 * 1024;

/**
 * Makes the change from `base` to `theirs` on `ours`. Where both sides are objects they are merged key by key;
 * anything else, and an object that deletes what is inherited, is one value, which is taken from the
 * side that changed it. Changed on both sides to something else it is a conflict. Directives are keys like others.
 * The order of keys does not count. Time is linear in the sizes times the depth.
 */
export function mergeThreeWay(input: MergeInput): ThreeWayMerge {
  const { base, theirs, ours, local, resolve, limit } = input;
  const merge = new Merge(limit);
  const apart = takeLocal({ base, theirs, ours }, local, (place) => merge.keep(place));
  const at = { place: null, held: apart.held, resolve, side: undefined };
  const merged = local.told ? ours : merge.run(apart.sides, at);
  return {
    document: isJsonObject(merged) ? apart.putBack(merged) : undefined,
    conflicts: merge.conflicts.told,
    kept: merge.kept.told,
    resolved: merge.resolved,
  };
}

interface At {
  readonly place: Place | null;
  /** Local keys that ours has below: it stays an object. */
  readonly held: PointerSet<true> | undefined;
  readonly resolve: PointerSet<MergeSide> | undefined;
  /** What is told of the nearest place above. */
  readonly side: MergeSide | undefined;
}

class Merge {
  readonly conflicts: Telling<MergeConflict>;
  readonly kept: Telling<string>;
  resolved = 0;

  constructor(limit: number) {
    this.conflicts = new Telling(limit);
    this.kept = new Telling(limit);
  }

  keep(place: Place | null): void {
    this.kept.tell(place, (pointer) => pointer);
  }

  run(sides: Sides, at: At): Maybe {
    const { base, theirs, ours } = sides;
    if (isSame(base, theirs) || isSame(ours, theirs)) return ours;
    if (at.held !== undefined && isTree(ours)) {
      if (theirs === undefined || isTree(theirs)) return this.#keys(sides, at);
      this.keep(at.place);
      return ours;
    }
    if (isSame(ours, base)) return theirs;
    if (isTree(ours) && isTree(theirs)) return this.#keys(sides, at);
    const side = at.resolve?.told ?? at.side;
    if (side === undefined) {
      this.conflicts.tell(at.place, (pointer) => ({ pointer, ...sides }));
    } else {
      this.resolved += 1;
    }
    return side === 'theirs' ? theirs : ours;
  }

  /** What is no object has no keys. */
  #keys({ base, theirs, ours }: Sides, at: At): JsonObject {
    const merged: Record<string, JsonValue> = {};
    const keys = [theirs, ours].flatMap((side) => (isTree(side) ? Object.keys(side) : []));
    for (const key of [...new Set(keys)].sort()) {
      const sides = {
        base: valueAt(base, key),
        theirs: valueAt(theirs, key),
        ours: valueAt(ours, key),
      };
      const value = this.run(sides, {
        place: { above: at.place, key },
        held: at.held?.below.get(key),
        resolve: at.resolve?.below.get(key),
        side: at.resolve?.told ?? at.side,
      });
      if (value !== undefined) merged[key] = value;
    }
    return merged;
  }
}

/** Collects what is told, and counts the rest. */
class Telling<T> {
  readonly #items: T[] = [];
  #count = 0;
  #characters = 0;

  constructor(private readonly limit: number) {}

  get told(): Told<T> {
    return { items: this.#items, count: this.#count };
  }

  tell(place: Place | null, item: (pointer: string) => T): void {
    this.#count += 1;
    if (this.#items.length >= this.limit || this.#characters > MAX_CHARACTERS) return;
    const pointer = pointerOf(place);
    this.#characters += pointer.length;
    this.#items.push(item(pointer));
  }
}

function pointerOf(place: Place | null): string {
  const keys: string[] = [];
  for (let at = place; at !== null; at = at.above) keys.push(at.key);
  return keys.reverse().reduce(joinPointer, '');
}
