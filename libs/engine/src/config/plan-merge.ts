import { canonicalize, done, LIMITS, SCHEMA_PART } from '@pawl/contracts';
import type { Address, JsonObject, JsonValue, Outcome, SourceChange } from '@pawl/contracts';
import { allPlaces, localInSchema, mergeThreeWay, pointerSet } from '@pawl/domain';
import type { Definition, MergeSide, PointerSet, SchemaRef, ThreeWayMerge } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { localPointers } from '../release/release-policy.js';
import type { RootTree } from '../sharding/root-tree.js';
import { layerOnWay, wayDown } from '../sharding/way-down.js';
import { documentRef } from './put-definition.js';
import type { NextContent } from './put-definition.js';
import { schemaRef } from './write-config.js';

/** What a merge comes to. */
export interface MergePlan {
  /** With what is there where there is a conflict. */
  readonly next: NextContent;
  readonly document: ThreeWayMerge;
  readonly schema: 'kept' | 'taken' | 'conflict';
  /** Whether a version is written. */
  readonly isChanged: boolean;
}

/** Works out what a change elsewhere comes to here; refused where the source's schema cannot be used. */
export async function planMerge(
  context: EngineContext,
  at: {
    readonly tree: RootTree;
    readonly address: Address;
    readonly newest: Definition | null;
  },
  change: SourceChange,
): Promise<Outcome<MergePlan>> {
  const { address, newest } = at;
  const { resolve } = change;
  const places = Object.entries(resolve).filter(([place]) => place !== SCHEMA_PART);
  const document = mergeThreeWay({
    base: change.base.document as JsonObject | undefined,
    theirs: change.theirs.document as JsonObject | undefined,
    ours: newest?.document?.value,
    local: localPlaces(at, change),
    resolve: pointerSet<MergeSide>(places),
    limit: LIMITS.errors,
  });
  const picked = pickSchema(context, newest?.schema ?? null, change);
  const isTaken = picked.schema === 'taken';
  const taken = isTaken
    ? await takenSchema(context, address, change)
    : done(newest?.schema ?? null);
  if (!taken.ok) return taken;
  const hasNothing = document.document === undefined && taken.value === null;
  const value = hasNothing ? {} : document.document;
  const ref = value === undefined ? done(null) : documentRef(context, address, value);
  if (!ref.ok) return ref;
  const isDecided = document.resolved > 0 || picked.isDecided;
  const next = { document: ref.value, schema: taken.value, origin: change.origin, isDecided };
  const isChanged = isDecided || newest === null || differs(newest, next);
  return done({ next, document, schema: picked.schema, isChanged });
}

function differs(newest: Definition, next: NextContent): boolean {
  return newest.document?.hash !== next.document?.hash || newest.schema?.hash !== next.schema?.hash;
}

/** What is local by the policy, by a schema that binds the address, or by the one that would come along. */
function localPlaces(
  { tree, address, newest }: Parameters<typeof planMerge>[1],
  { theirs }: SourceChange,
): PointerSet<true> {
  const above = wayDown(tree.path(address)).filter(
    ({ node }) => node.address.text !== address.text,
  );
  const schemas = [
    ...above.flatMap((layer) => layerOnWay(layer, new Set())?.schema ?? []),
    ...(newest?.schema ? [newest.schema] : []),
  ].map(({ schema }) => schema);
  if (theirs.schema !== undefined) schemas.push(theirs.schema as JsonValue);
  const pointers = localPointers(tree, address).map((pointer) => [pointer, true] as const);
  return allPlaces([
    pointerSet<true>(pointers),
    ...schemas.flatMap((schema) => localInSchema(schema) ?? []),
  ]);
}

/** A schema is one value: taken where the target has what the source had before. */
function pickSchema(
  { sha256 }: EngineContext,
  own: SchemaRef | null,
  { base, theirs, resolve }: SourceChange,
): Pick<MergePlan, 'schema'> & { readonly isDecided: boolean } {
  const hashOf = (schema: unknown): string | undefined =>
    schema === undefined ? undefined : sha256(canonicalize(schema as JsonValue));
  const [before, after, ours] = [hashOf(base.schema), hashOf(theirs.schema), own?.hash];
  if (before === after || ours === after) return { schema: 'kept', isDecided: false };
  if (ours === before) return { schema: 'taken', isDecided: false };
  const side = Object.hasOwn(resolve, SCHEMA_PART) ? resolve[SCHEMA_PART] : undefined;
  if (side === undefined) return { schema: 'conflict', isDecided: false };
  return { schema: side === 'theirs' ? 'taken' : 'kept', isDecided: true };
}

async function takenSchema(
  context: EngineContext,
  address: Address,
  { theirs }: SourceChange,
): Promise<Outcome<SchemaRef | null>> {
  if (theirs.schema === undefined) return done(null);
  return schemaRef(context, address, theirs.schema as JsonValue);
}
