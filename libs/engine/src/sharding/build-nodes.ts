import { parseAddress } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import {
  computeHead,
  headWith,
  INITIAL_RELEASE,
  mergeLayer,
  NOTHING_MERGED,
  snapshotInput,
} from '@pawl/domain';
import type { Definition, SnapshotHead } from '@pawl/domain';
import type { Address, JsonObject, SnapshotInput } from '@pawl/contracts';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import { Turns } from '../turns.js';
import type { AddressNode, RootTree } from './root-tree.js';
import type { AddressImage, NewSnapshot } from './truth-store.port.js';

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
    await turns.spent(node.head.variant.size);
  }
  return stale;
}

function nodeOf(
  context: EngineContext,
  tree: RootTree,
  address: Address,
  image: AddressImage,
): AddressNode {
  const above = tree.path(address).at(-1) ?? NOTHING_MERGED;
  const active = image.release.state === 'disabled' ? null : image.stable;
  const { effective, handedDown } = mergeLayer(above, active);
  const stored = image.snapshot;
  const inputs = [...inputsAbove(tree, address), snapshotInput(image.address, image.release)];
  const head = headOf(context, address, {
    generation: tree.generation,
    version: stored?.version ?? 0,
    inputs: inputs.filter((input) => input !== null),
    document: effective,
  });
  const published =
    stored !== null && image.publishedVersion === stored.version && image.publishedAt !== null
      ? {
          generation: stored.generation,
          version: stored.version,
          hash: stored.hash,
          at: image.publishedAt,
        }
      : null;
  const { newest, stable, release, opened } = image;
  const lastConsumerMs = context.clock.monotonicMs();
  return {
    address,
    newest,
    stable,
    release,
    head,
    effective,
    handedDown,
    published,
    opened,
    lastConsumerMs,
  };
}

/** Inputs of the layers strictly above an address. */
function inputsAbove(tree: RootTree, address: Address): (SnapshotInput | null)[] {
  return tree
    .path(address)
    .filter((node) => node.address.text !== address.text)
    .map((node) => snapshotInput(node.address.text, node.release));
}

/** Inputs of an address in merge order, with one layer's release state taken as given. */
export function inputsOf(
  tree: RootTree,
  address: Address,
  changed: { readonly address: Address; readonly release: AddressNode['release'] } | null,
): SnapshotInput[] {
  const inputs: SnapshotInput[] = [];
  for (const node of tree.path(address)) {
    const release =
      changed !== null && node.address.text === changed.address.text
        ? changed.release
        : node.release;
    const input = snapshotInput(node.address.text, release);
    if (input !== null) inputs.push(input);
  }
  return inputs;
}

export function headOf(
  context: EngineContext,
  address: Address,
  of: {
    readonly generation: number;
    readonly version: number;
    readonly inputs: readonly SnapshotInput[];
    readonly document: JsonObject | null;
    /** Hash and size of the document, where they are known. */
    readonly variant?: SnapshotHead['variant'];
  },
): SnapshotHead {
  const { variant, ...rest } = of;
  const options = {
    installation: installationText(context.installation),
    address: address.text,
    sha256: context.sha256,
    ...rest,
  };
  return variant === undefined ? computeHead(options).head : headWith(variant, options);
}

/**
 * A node for an address that was not known: it reads what is read at the nearest known ancestor. Its
 * first snapshot version is above the sum of theirs: an opened address that was forgotten and is
 * opened again then never gets a version that it had, since each of its versions came from a change
 * of an ancestor that has a definition, and those are never forgotten.
 */
export function newNode(
  context: EngineContext,
  tree: RootTree,
  address: Address,
  newest: Definition | null,
): AddressNode {
  const above = tree.path(address);
  const defined = above.filter((node) => node.newest !== null);
  const { effective, handedDown } = above.at(-1) ?? NOTHING_MERGED;
  const head = headOf(context, address, {
    generation: tree.generation,
    version: defined.reduce((sum, node) => sum + node.head.version, 1),
    inputs: inputsOf(tree, address, null),
    document: effective,
  });
  return {
    address,
    newest,
    stable: null,
    release: INITIAL_RELEASE,
    head,
    effective,
    handedDown,
    published: null,
    opened: newest === null,
    lastConsumerMs: context.clock.monotonicMs(),
  };
}

/** The same content as a next version: what a stale node gets. */
export function nextHead(
  context: EngineContext,
  node: AddressNode,
  aboveVersion: number,
  tree: RootTree,
): SnapshotHead {
  return headOf(context, node.address, {
    generation: tree.generation,
    version: aboveVersion + 1,
    inputs: inputsOf(tree, node.address, null),
    document: node.effective,
    variant: node.head.variant,
  });
}

export function asNewSnapshot(head: SnapshotHead): NewSnapshot {
  const { address, generation, version, hash, inputs, variant } = head;
  return { address, generation, version, hash, inputs, variant };
}

function parsedAddress(text: string): Address {
  const result = parseAddress(text);
  assert(result.ok, `the truth holds well-formed addresses, not ${JSON.stringify(text)}`);
  return result.address;
}
