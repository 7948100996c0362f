import { done, LIMITS, refused } from '@pawl/contracts';
import type {
  Address,
  JsonValue,
  Outcome,
  PreviewRequest,
  PreviewView,
  ProblemError,
} from '@pawl/contracts';
import type { DocumentRef, SchemaRef, StagedRelease } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { planPromote } from '../release/plan-promote.js';
import type { PlannedPromote } from '../release/plan-promote.js';
import { previewStages } from '../release/preview-stages.js';
import { evaluateChange, replacing, stableVariant } from '../release/evaluate-change.js';
import type { Variant } from '../release/evaluate-change.js';
import { complaints } from '../release/refusal.js';
import { abortedView } from '../release/preempt-releases.js';
import { dropping } from '../release/releases-in-flight.js';
import type { OwnedShard } from '../sharding/owned-shard.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { RootTree, stableDocument } from '../sharding/root-tree.js';
import { noOwner } from '../sharding/refusals.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { diffJson } from './diff-json.js';
import { documentRef } from './put-definition.js';
import { schemaRef } from './write-config.js';

/** Addresses that one preview lists. */
const MAX_ADDRESSES = 10_000;

/** What writing and promoting this would do, at the address and below; changes nothing. */
export async function previewChange(
  context: EngineContext,
  shards: ShardRegistry,
  address: Address,
  request: PreviewRequest,
): Promise<Outcome<PreviewView>> {
  const shard = shards.shardOf(address.root);
  if (shard === undefined || !shards.serves(address.root)) return noOwner();
  const { consumers, generation } = shard;
  const tree = shards.tree(address.root) ?? new RootTree(generation);
  const node = tree.get(address);
  const layer = {
    document: node?.newest?.document ?? null,
    schema: node?.newest?.schema ?? null,
  };
  const wanted = await wantedLayer(context, address, request, layer);
  if (!wanted.ok) return done(invalid(address, wanted.problem));
  const promoted = await promotedBy(context, {
    shard,
    tree,
    address,
    request,
    wanted: wanted.value,
  });
  if (!promoted.ok) return done(invalid(address, promoted.problem));
  const before = (node && stableDocument(node)) ?? {};
  let patch: PreviewView['patch'] = [];
  const errors: ProblemError[] = [];
  const addresses: PreviewView['addresses'][number][] = [];
  const { release, ended } = promoted.value;
  const { hypothesis } = dropping(tree, replacing(address, promoted.value.layer), ended);
  for await (const variant of evaluateChange(context, tree, hypothesis)) {
    const { effective, changed } = stableVariant(variant);
    if (variant.address.text === address.text) patch = diffJson(before, effective ?? {});
    const wrong = complaints(variant);
    if (errors.length < LIMITS.errors) errors.push(...wrong);
    if (addresses.length >= MAX_ADDRESSES) continue;
    addresses.push({
      address: variant.address.text,
      changed,
      valid: wrong.length === 0,
      consumers: liveAt(consumers, variant),
    });
  }
  const valid = errors.length === 0;
  const reached = tree.reachedBelow(address);
  const pinned = tree.below(address).length - reached.length;
  const nodes = [...(node === undefined ? [] : [node]), ...reached];
  const stages =
    release === null || !valid ? {} : await stagesOf(context, { nodes, consumers }, release);
  const kept = pinned === 0 ? {} : { pinned };
  return done({
    valid,
    errors: errors.slice(0, LIMITS.errors),
    patch,
    addresses,
    ...kept,
    ...stages,
    ...(valid ? abortedView(ended) : {}),
  });
}

async function stagesOf(
  context: EngineContext,
  of: Parameters<typeof previewStages>[1],
  release: StagedRelease,
): Promise<Pick<PreviewView, 'stages' | 'strategy'>> {
  const { strategy } = release;
  const stages = await previewStages(context, of, release);
  return { stages, ...(strategy === '' ? {} : { strategy }) };
}

/** The promote that is asked about, if any, and what it would bring. */
async function promotedBy(
  context: EngineContext,
  of: {
    readonly shard: OwnedShard;
    readonly tree: RootTree;
    readonly address: Address;
    readonly request: PreviewRequest;
    readonly wanted: Layer;
  },
): Promise<Outcome<PlannedPromote & { readonly layer: Layer }>> {
  const { shard, tree, address, request, wanted } = of;
  const { promote } = request;
  if (promote === undefined) return done({ layer: wanted, release: null, ended: [] });
  const node = tree.get(address);
  const newest = node?.newest?.version ?? 0;
  const isWritten = request.document !== undefined || request.schema !== undefined;
  const { targetVersion } = promote;
  if (isWritten && targetVersion !== undefined) {
    return refused(
      'malformed-request',
      'a promote of a document or schema that is not written yet takes no targetVersion',
    );
  }
  const newestVersion = isWritten ? newest + 1 : newest;
  const planned = planPromote(context, { tree, address, newestVersion }, promote);
  if (!planned.ok) return planned;
  const root = shard.roots.get(address.root);
  if (targetVersion === undefined || targetVersion === newest || root === undefined) {
    return done({ layer: wanted, ...planned.value });
  }
  const { document, schema } = await storedDefinition(context, root, {
    ...{ address, version: targetVersion },
  });
  return done({ layer: { document, schema }, ...planned.value });
}

function liveAt(consumers: ShardConsumers, variant: Variant): number {
  const there = consumers.at(variant.address.text);
  return there.filter((incarnation) => consumers.isLive(incarnation)).length;
}

interface Layer {
  readonly document: DocumentRef | null;
  readonly schema: SchemaRef | null;
}

async function wantedLayer(
  context: EngineContext,
  address: Address,
  request: PreviewRequest,
  newest: Layer,
): Promise<Outcome<Layer>> {
  let { document, schema } = newest;
  if (request.document !== undefined) {
    const checked = documentRef(context, address, request.document as JsonValue);
    if (!checked.ok) return checked;
    document = checked.value;
  }
  if (request.schema !== undefined) {
    const checked = await schemaRef(context, address, request.schema as JsonValue);
    if (!checked.ok) return checked;
    schema = checked.value;
  }
  return done({ document, schema });
}

function invalid(
  address: Address,
  problem: {
    readonly code: string;
    readonly detail: string;
    readonly errors?: readonly ProblemError[];
  },
): PreviewView {
  const { code, detail, errors } = problem;
  const whole = { address: address.text, pointer: '', keyword: code, message: detail };
  return { valid: false, errors: [...(errors ?? [whole])], patch: [], addresses: [] };
}
