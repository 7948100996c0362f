import { done, LIMITS, refused, SCHEMA_PART } from '@pawl/contracts';
import type {
  Address,
  MergeConflictView,
  MergeView,
  Outcome,
  Problem,
  ProblemError,
  SourceChange,
  WrittenView,
} from '@pawl/contracts';
import type { MergeConflict } from '@pawl/domain';
import type { WriteOptions, Written } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import { noOwner } from '../sharding/refusals.js';
import { RootTree } from '../sharding/root-tree.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import { diffJson } from './diff-json.js';
import { planMerge } from './plan-merge.js';
import type { MergePlan } from './plan-merge.js';
import { shownDocument } from './put-definition.js';
import type { PutDefinition } from './put-definition.js';

/** Characters of a value that a problem shows. */
const SHOWN = 60;

/** Writes what a change elsewhere comes to here; a conflict that is not decided is refused. */
export function mergeConfig(
  context: EngineContext,
  put: PutDefinition,
  options: WriteOptions,
  change: SourceChange,
): Promise<Outcome<Written<WrittenView>>> {
  const { address } = options;
  return put.run({ ...options, name: 'merge-config', mustExist: false }, async (newest, tree) => {
    const planned = await planMerge(context, { tree, address, newest }, change);
    if (!planned.ok) return planned;
    const conflict = conflictOf(address, change, planned.value);
    if (conflict === undefined) return done(planned.value.next);
    const current = newest === null ? {} : { currentVersion: newest.version };
    return { ok: false, problem: { ...conflict, ...current } };
  });
}

/** What {@link mergeConfig} would write, and every conflict; refused as that for all else. */
export async function previewMerge(
  context: EngineContext,
  { shards, put }: { readonly shards: ShardRegistry; readonly put: PutDefinition },
  address: Address,
  change: SourceChange,
): Promise<Outcome<MergeView>> {
  const shard = shards.shardOf(address.root);
  if (shard === undefined || !shards.serves(address.root)) return noOwner();
  const tree = shards.tree(address.root) ?? new RootTree(shard.generation);
  const newest = tree.get(address)?.newest ?? null;
  const planned = await planMerge(context, { tree, address, newest }, change);
  if (!planned.ok) return planned;
  const { next, document, schema, isChanged } = planned.value;
  const conflicts = conflictViews(planned.value);
  const conflictCount = document.conflicts.count + (schema === 'conflict' ? 1 : 0);
  const isWritten = isChanged && conflictCount === 0;
  const checked = isWritten ? await put.check(tree, address, next) : done([]);
  if (!checked.ok) return checked;
  return done({
    address: address.text,
    version: newest?.version ?? 0,
    origin: change.origin,
    changed: isWritten,
    patch: diffJson(newest?.document?.value ?? {}, shownDocument(context, next).value),
    schema: schema === 'taken' ? 'taken' : 'kept',
    conflicts,
    conflictCount,
    kept: [...document.kept.items],
    keptCount: document.kept.count,
    warnings: [...checked.value],
  });
}

function conflictViews({ document, schema }: MergePlan): MergeConflictView[] {
  const views = document.conflicts.items.map(({ pointer, base, theirs, ours }) => ({
    part: 'document' as const,
    pointer,
    ...(base === undefined ? {} : { base }),
    ...(theirs === undefined ? {} : { theirs }),
    ...(ours === undefined ? {} : { ours }),
  }));
  const ofSchema = { part: 'schema', pointer: '' } as const;
  return schema === 'conflict' ? [ofSchema, ...views].slice(0, LIMITS.errors) : views;
}

function conflictOf(
  { text: address }: Address,
  { origin }: SourceChange,
  { document, schema }: MergePlan,
): Problem | undefined {
  const { items, count } = document.conflicts;
  const isSchema = schema === 'conflict';
  if (count === 0 && !isSchema) return undefined;
  const ofSchema = {
    ...{ address, pointer: '', keyword: SCHEMA_PART },
    message: `the schema was changed here and at ${origin.address}, not to the same`,
  };
  const errors: ProblemError[] = items.map((conflict) => ({
    ...{ address, pointer: conflict.pointer, keyword: 'merge-conflict' },
    message: conflictText(conflict),
  }));
  const listed = isSchema ? [ofSchema, ...errors] : errors;
  const detail =
    `${count + (isSchema ? 1 : 0)} changes of ${origin.address} from version ${origin.baseVersion} to ` +
    `${origin.version} meet others made here: send resolve with "ours" or "theirs" for each place, ` +
    `or for one above them${isSchema ? `, and for "${SCHEMA_PART}"` : ''}; nothing was written`;
  return refused('merge-conflict', detail, { errors: listed.slice(0, LIMITS.errors) }).problem;
}

function conflictText({ base, theirs, ours }: MergeConflict): string {
  return `was ${shown(base)}, is ${shown(theirs)} at the source and ${shown(ours)} here`;
}

function shown(value: MergeConflict['base']): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
