import { LIMITS } from '@pawl/contracts';
import type { AddressText } from '@pawl/contracts';
import type { ReleaseState, SnapshotHead } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { Publication } from '../publication/publication.js';
import { headOf } from '../sharding/build-nodes.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { inputsOf, pathReleases, releasesAt } from '../sharding/path-releases.js';
import type { AddressNode, Content } from '../sharding/root-tree.js';
import { Turns } from '../turns.js';
import type { Variant } from './evaluate-change.js';
import { reachNodes } from './reach-nodes.js';

/** The next snapshot of an address, and what is read there then. */
export interface VariantHead {
  readonly variant: Variant;
  readonly contents: ReadonlyMap<string, Content>;
  readonly head: SnapshotHead;
}

/**
 * The next snapshot head of each variant, once these are the release states. The release of `node` that is then
 * under way reaches in each what it has come to. Gives the event loop a turn between portions.
 */
export async function variantHeads(
  context: EngineContext,
  { tree, shard }: OwnedRoot,
  of: {
    readonly node: AddressNode;
    readonly releases: readonly { readonly address: AddressText; readonly next: ReleaseState }[];
    readonly variants: readonly Variant[];
  },
): Promise<VariantHead[]> {
  const { node: released, variants } = of;
  const changed = new Map(of.releases.map(({ address, next }) => [address, next]));
  const staged = changed.get(released.address.text)?.staged ?? null;
  const reachable = new Set([released, ...tree.reachedBelow(released.address)]);
  const nodes = variants.flatMap(({ node }) => (node && reachable.has(node) ? [node] : []));
  const stages = staged === null ? undefined : reachNodes(staged, nodes, shard.consumers);
  const heads: VariantHead[] = [];
  const turns = new Turns(context.scheduler);
  for (const variant of variants) {
    const { address, node, cohorts } = variant;
    const contents = new Map<string, Content>();
    for (const [key, { effective, handedDown, variant: head }] of cohorts) {
      contents.set(key, { effective, handedDown, variant: head });
    }
    const path = pathReleases(tree, address, changed);
    const reached = staged && { id: staged.id, stages: stages?.get(address.text) ?? [] };
    const head = headOf(context, address, {
      generation: tree.generation,
      version: (node?.head.version ?? 0) + 1,
      inputs: inputsOf(path),
      releases: releasesAt(path, {
        before: node?.head.releases ?? [],
        reached: reached ?? undefined,
      }),
      contents,
    });
    heads.push({ variant, head, contents });
    const sizes = [...contents.values()].map(({ variant: { size } }) => size);
    await turns.spent(sizes.reduce((sum, size) => sum + Math.min(size, LIMITS.inlineBytes), 0));
  }
  return heads;
}

/** Puts them into memory, to be published. */
export function takeHeads(
  root: OwnedRoot,
  heads: readonly VariantHead[],
  publication: Publication,
): void {
  for (const { variant, head, contents } of heads) {
    if (variant.node === undefined) continue;
    Object.assign(variant.node, { head, contents });
    publication.enqueue(root, variant.node);
  }
}
