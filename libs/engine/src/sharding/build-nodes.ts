import { parseAddress } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import {
  computeHead,
  computeVariant,
  INITIAL_RELEASE,
  mergeLayer,
  NOTHING_MERGED,
} from '@pawl/domain';
import type { Definition, Merged, SnapshotHead } from '@pawl/domain';
import { STABLE_COHORT } from '@pawl/contracts';
import type { Address, SnapshotInput, SnapshotRelease } from '@pawl/contracts';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import { Turns } from '../turns.js';
import { cohortAmong, cohortsOf } from './cohorts.js';
import type { Cohort } from './cohorts.js';
import { inputsOf, pathReleases, releasesAt, stagedIds, withPins } from './path-releases.js';
import type { PathRelease } from './path-releases.js';
import { contentOf, NOTHING_PINNED } from './root-tree.js';
import type { AddressNode, Content, PinnedLayers, RootTree } from './root-tree.js';
import type { AddressImage } from './truth-store.port.js';
import { layerOnWay, wayDown } from './way-down.js';
import type { LayerNode, WayLayer } from './way-down.js';

/**
 * Puts images of the truth into a tree and recomputes what each address reads. Answers the nodes
 * whose stored snapshot is not what recomputing gives: they need a new snapshot version. Gives the
 * event loop a turn between portions of work.
 */
export async function addImages(
  context: EngineContext,
  treeOf: (root: string) => RootTree,
  images: readonly AddressImage[],
): Promise<AddressNode[]> {
  const parsed = images.map((image) => ({ image, address: parsedAddress(image.address) }));
  parsed.sort((a, b) => a.address.segments.length - b.address.segments.length);
  const stale: AddressNode[] = [];
  const turns = new Turns(context.scheduler);
  for (const { image, address } of parsed) {
    const tree = treeOf(address.root);
    const node = nodeOf(context, tree, address, image);
    tree.add(node);
    if (image.snapshot?.hash !== node.head.hash) stale.push(node);
    await turns.spent(node.head.variant.size * node.contents.size);
  }
  return stale;
}

function nodeOf(
  context: EngineContext,
  tree: RootTree,
  address: Address,
  image: AddressImage,
): AddressNode {
  const { newest, stable, candidate, release, opened } = image;
  const stored = image.snapshot;
  const above = tree.path(address);
  const pinned = pinnedOf(image);
  const way = wayDown<LayerNode>([...above, { address, stable, candidate, release, pinned }]);
  const path = withPins(
    way.map(({ node }) => ({ address: node.address.text, release: node.release })),
  );
  const contents = contentsAt(context, { path, above: above.at(-1), way });
  const head = headOf(context, address, {
    generation: tree.generation,
    version: stored?.version ?? 0,
    inputs: inputsOf(path),
    releases: releasesAt(path, { before: stored?.releases ?? [] }),
    contents,
  });
  const published =
    stored !== null && image.publishedVersion === stored.version && image.publishedAt !== null
      ? {
          generation: stored.generation,
          version: stored.version,
          hash: stored.hash,
          at: image.publishedAt,
          releases: stored.releases,
        }
      : null;
  return {
    ...{ address, newest, stable, candidate, release, pinned, head, contents, published, opened },
    lastConsumerMs: context.clock.monotonicMs(),
  };
}

/** By the address that is kept, in the order of the pins. */
function pinnedOf({ address: at, release: { pins }, pinned }: AddressImage): PinnedLayers {
  if (pins.length === 0) return NOTHING_PINNED;
  const layers = pins.map((pin) => {
    const definition = pinned.find(
      ({ address, version }) => address === pin.ancestor && version === pin.version,
    );
    assert(definition !== undefined, `${at} is loaded with what it is pinned to`);
    return [pin.ancestor, { pin, at, definition }] as const;
  });
  return new Map(layers);
}

/** What an address reads, by cohort, from what lies above and its own layer. */
function contentsAt(
  context: EngineContext,
  of: {
    readonly path: readonly PathRelease[];
    /** The nearest known address above. */
    readonly above: AddressNode | undefined;
    /** Down to and including it; empty where it has no layer of its own. */
    readonly way: readonly WayLayer<LayerNode>[];
  },
): Map<string, Content> {
  const contents = new Map<string, Content>();
  const own = of.way.at(-1);
  for (const cohort of cohortsOf(stagedIds(of.path))) {
    // What is kept here is another version than what is read above.
    if (own !== undefined && own.node.pinned.size > 0) {
      const { content } = newContent(context, mergedOnWay(of.way, cohort));
      contents.set(cohort.key, shared(content, contents.values()));
      continue;
    }
    const inherited = contentAbove(of.above, cohort);
    const layer = own === undefined ? null : layerOnWay(own, cohort.releases);
    if (layer === null && inherited !== undefined) {
      contents.set(cohort.key, inherited);
      continue;
    }
    const { content } = newContent(context, mergeLayer(inherited ?? NOTHING_MERGED, layer));
    contents.set(cohort.key, shared(content, contents.values()));
  }
  return contents;
}

/** What all layers of a place come to for a cohort. */
function mergedOnWay(way: readonly WayLayer<LayerNode>[], { releases }: Cohort): Merged {
  return way.reduce(
    (above, layer) => mergeLayer(above, layerOnWay(layer, releases)),
    NOTHING_MERGED,
  );
}

/** What a cohort reads at an address above, where fewer releases are under way. */
export function contentAbove(above: AddressNode | undefined, cohort: Cohort): Content | undefined {
  if (above === undefined) return undefined;
  const ids = above.head.releases.map(({ id }) => id);
  return contentOf(above, cohortAmong(cohort, ids).key);
}

/** What a cohort reads where layers merge to this, and its canonical text: empty when absent. */
export function newContent(
  context: Pick<EngineContext, 'sha256'>,
  merged: Merged,
): { readonly content: Content; readonly text: string } {
  const { variant, text } = computeVariant(merged.effective, context.sha256);
  return { content: { ...merged, variant }, text };
}

/** One object for what is the same: memory holds each document once. */
export function shared(content: Content, known: Iterable<Content>): Content {
  const isWhole = content.handedDown === content.effective;
  for (const { effective, variant } of known) {
    if (variant.hash !== content.variant.hash) continue;
    return { effective, handedDown: isWhole ? effective : content.handedDown, variant };
  }
  return content;
}

export function headOf(
  context: EngineContext,
  address: Address,
  of: {
    readonly generation: number;
    readonly version: number;
    readonly inputs: readonly SnapshotInput[];
    readonly releases: readonly SnapshotRelease[];
    readonly contents: ReadonlyMap<string, Content>;
  },
): SnapshotHead {
  const { contents, ...rest } = of;
  const cohorts = [...contents].filter(([cohort]) => cohort !== STABLE_COHORT);
  return computeHead({
    ...rest,
    installation: installationText(context.installation),
    address: address.text,
    variant: contentOf(of, STABLE_COHORT).variant,
    cohorts: Object.fromEntries(cohorts.map(([cohort, { variant }]) => [cohort, variant])),
    documentOf: (cohort) => contents.get(cohort)?.effective,
    sha256: context.sha256,
  });
}

/**
 * The first snapshot version of an address below these, which are never forgotten: above the sum of
 * theirs. An opened address that was forgotten and is opened again then never gets a version that it had,
 * since its versions come from changes of ancestors that have a definition; where others come as well,
 * forgetting sees to it.
 */
export function firstVersion(defined: readonly AddressNode[]): number {
  return defined.reduce((sum, node) => sum + node.head.version, 1);
}

/** A node for an address that was not known: it reads what is read at the nearest known ancestor. */
export function newNode(
  context: EngineContext,
  tree: RootTree,
  of: {
    readonly address: Address;
    readonly newest: Definition | null;
  },
): AddressNode {
  const { address, newest } = of;
  const above = tree.path(address);
  const defined = above.filter((node) => node.newest !== null);
  const path = pathReleases(tree, address);
  const contents = contentsAt(context, { path, above: above.at(-1), way: [] });
  const head = headOf(context, address, {
    generation: tree.generation,
    version: firstVersion(defined),
    inputs: inputsOf(path),
    releases: releasesAt(path, { before: [] }),
    contents,
  });
  return {
    ...{ address, newest, stable: null, candidate: null, release: INITIAL_RELEASE },
    ...{ pinned: NOTHING_PINNED, head, contents, published: null, opened: newest === null },
    lastConsumerMs: context.clock.monotonicMs(),
  };
}

/** The same content as a next version: what a stale node gets, and one where a release grows. */
export function nextHead(
  context: EngineContext,
  node: AddressNode,
  of: {
    readonly tree: RootTree;
    readonly above: number;
    readonly releases?: readonly SnapshotRelease[];
  },
): SnapshotHead {
  return headOf(context, node.address, {
    generation: of.tree.generation,
    version: of.above + 1,
    inputs: inputsOf(pathReleases(of.tree, node.address)),
    releases: of.releases ?? node.head.releases,
    contents: node.contents,
  });
}

function parsedAddress(text: string): Address {
  const result = parseAddress(text);
  assert(result.ok, `the truth holds well-formed addresses, not ${JSON.stringify(text)}`);
  return result.address;
}
