import { mergeDocument, parseAddress } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import { computeHead, snapshotInput } from '@pawl/domain';
import type { SnapshotHead } from '@pawl/domain';
import type { Address, JsonObject, SnapshotInput } from '@pawl/contracts';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import type { AddressNode, RootTree } from './root-tree.js';
import type { AddressImage, NewSnapshot } from './truth-store.port.js';

/** How many addresses are recomputed before the event loop gets a turn. */
const NODES_PER_TURN = 64;

/**
 * Puts images of the truth into a tree and recomputes what each address reads. Answers the nodes
 * whose stored snapshot is not what recomputing gives: they need a new snapshot version.
 */
export async function addImages(
  context: EngineContext,
  treeOf: (root: string) => RootTree,
  images: readonly AddressImage[],
): Promise<AddressNode[]> {
  const parsed = images.map((image) => ({ image, address: parsedAddress(image.address) }));
  parsed.sort((a, b) => a.address.segments.length - b.address.segments.length);
  const stale: AddressNode[] = [];
  for (const [index, { image, address }] of parsed.entries()) {
    const tree = treeOf(address.root);
    const node = nodeOf(context, tree, address, image);
    tree.add(node);
    if (image.snapshot?.hash !== node.head.hash) stale.push(node);
    if ((index + 1) % NODES_PER_TURN === 0) await context.scheduler.yield();
  }
  return stale;
}

function nodeOf(
  context: EngineContext,
  tree: RootTree,
  address: Address,
  image: AddressImage,
): AddressNode {
  const above = tree.path(address).at(-1)?.effective ?? null;
  const active = image.release.state === 'disabled' ? null : image.stable;
  const own = active?.document ?? null;
  const effective = own === null ? above : mergeDocument(above ?? {}, own.value);
  const stored = image.snapshot;
  const inputs = [...inputsAbove(tree, address), snapshotInput(image.address, image.release)];
  const head = headOf(context, address, {
    generation: context.installation.generation,
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
  return { address, newest, stable, release, head, effective, published, opened };
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
    /** Canonical bytes of the document, where they are known. */
    readonly text?: string;
  },
): SnapshotHead {
  return computeHead({
    installation: installationText(context.installation),
    address: address.text,
    sha256: context.sha256,
    ...of,
  }).head;
}

/** The same content as a next version: what a stale node gets. */
export function nextHead(
  context: EngineContext,
  node: AddressNode,
  aboveVersion: number,
  tree: RootTree,
): SnapshotHead {
  return headOf(context, node.address, {
    generation: context.installation.generation,
    version: aboveVersion + 1,
    inputs: inputsOf(tree, node.address, null),
    document: node.effective,
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
