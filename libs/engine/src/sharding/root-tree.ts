import { STABLE_COHORT } from '@pawl/contracts';
import type { Address, AddressText, JsonObject, SnapshotRelease } from '@pawl/contracts';
import type {
  Definition,
  Merged,
  PlacedPin,
  ReleaseState,
  SnapshotHead,
  VariantHead,
} from '@pawl/domain';
import { assert } from '@pawl/kernel';

/** What the consumers of one cohort read at an address, and what layers below build on there. */
export interface Content extends Merged {
  readonly variant: VariantHead;
}

/** A layer that an address, and those below it, keep at a version of it. */
export interface PinnedLayer extends PlacedPin {
  readonly definition: Definition;
}

/** By the address that is kept. */
export type PinnedLayers = ReadonlyMap<AddressText, PinnedLayer>;

export const NOTHING_PINNED: PinnedLayers = new Map();

/** One known address in its owner's memory; fields change only after the truth has committed. */
export interface AddressNode {
  readonly address: Address;
  newest: Definition | null;
  stable: Definition | null;
  /** The definition that is being released in stages; `null` while none is. */
  candidate: Definition | null;
  release: ReleaseState;
  /** Of the pins of `release`, what they keep. */
  pinned: PinnedLayers;
  head: SnapshotHead;
  /** What is read here, by cohort: one for every set of the releases that `head` names. */
  contents: ReadonlyMap<string, Content>;
  /** What JetStream holds, as far as this owner knows. */
  published: PublishedSnapshot | null;
  /** Known only because a consumer opened it. */
  opened: boolean;
  /** Monotonic time at which a consumer last had it open, or at which this owner loaded it. */
  lastConsumerMs: number;
}

export interface PublishedSnapshot {
  readonly generation: number;
  readonly version: number;
  readonly hash: string;
  readonly at: string;
  /** What decides as which cohort a consumer is to run it. */
  readonly releases: readonly SnapshotRelease[];
}

interface Branch {
  readonly children: Map<string, Branch>;
  node: AddressNode | undefined;
}

/** Every known address under one root, found by path; document names are trees of their own. */
export class RootTree {
  readonly #documents = new Map<string, Branch>();
  readonly #byText = new Map<AddressText, AddressNode>();
  /** Those with a release in stages under way. */
  readonly #staged = new Set<AddressNode>();
  /** Those where something is to be done at a time. */
  readonly #timed = new Set<AddressNode>();
  /** Those that keep layers above them at a version, and which. */
  readonly #pinning = new Map<AddressNode, readonly AddressText[]>();
  /** The same by what is kept. */
  readonly #keeping = new Map<AddressText, Set<AddressNode>>();

  /** Snapshots of its addresses are of this generation. */
  constructor(readonly generation: number) {}

  get size(): number {
    return this.#byText.size;
  }

  getByText(text: AddressText): AddressNode | undefined {
    return this.#byText.get(text);
  }

  get(address: Address): AddressNode | undefined {
    return this.#byText.get(address.text);
  }

  add(node: AddressNode): void {
    let branch = childOf(this.#documents, node.address.document);
    for (const segment of node.address.segments) branch = childOf(branch.children, segment);
    branch.node = node;
    this.#byText.set(node.address.text, node);
    this.noteRelease(node);
  }

  /** Forgets an address; what lies below it stays. */
  remove(address: Address): void {
    const branch = this.#branch(address);
    if (branch?.node === undefined) return;
    this.#staged.delete(branch.node);
    this.#timed.delete(branch.node);
    this.#notePins(branch.node, []);
    branch.node = undefined;
    this.#byText.delete(address.text);
  }

  /** Known addresses on the way from the root down to and including `address`. */
  path(address: Address): AddressNode[] {
    const nodes: AddressNode[] = [];
    let branch = this.#documents.get(address.document);
    for (const segment of address.segments) {
      branch = branch?.children.get(segment);
      if (branch === undefined) break;
      if (branch.node !== undefined) nodes.push(branch.node);
    }
    return nodes;
  }

  /** Known addresses strictly below `address`, parents before children, siblings by name. */
  below(address: Address): AddressNode[] {
    const start = this.#branch(address);
    const nodes: AddressNode[] = [];
    if (start !== undefined) collect(start, nodes, () => true);
    return start?.node === undefined ? nodes : nodes.slice(1);
  }

  /** Those of them that read what is released there: not where it is pinned, nor below that. */
  reachedBelow(address: Address): AddressNode[] {
    if (this.#pinning.size === 0) return this.below(address);
    const start = this.#branch(address);
    const nodes: AddressNode[] = [];
    const { text } = address;
    if (start !== undefined) collect(start, nodes, ({ pinned }) => !pinned.has(text));
    return start?.node === undefined ? nodes : nodes.slice(1);
  }

  /** Called whenever the release state of a known address has changed. */
  noteRelease(node: AddressNode): void {
    const { queued, staged, state, pins } = node.release;
    this.#notePins(
      node,
      pins.map(({ ancestor }) => ancestor),
    );
    if (staged === null) this.#staged.delete(node);
    else this.#staged.add(node);
    const isTimed = queued !== null || state === 'paused' || pins.length > 0;
    if (!isTimed) this.#timed.delete(node);
    else this.#timed.add(node);
  }

  /** Known addresses with a release in stages under way; no walk over all of them. */
  staged(): AddressNode[] {
    return [...this.#staged];
  }

  /** Known addresses with a promote queued, a release paused, or a pin; no walk over all of them. */
  timed(): AddressNode[] {
    return [...this.#timed];
  }

  /** Known addresses that keep this one, above them, at a version; no walk over others. */
  keeping(address: AddressText): AddressNode[] {
    return [...(this.#keeping.get(address) ?? [])];
  }

  /** Every known address. */
  all(): AddressNode[] {
    return [...this.#byText.values()];
  }

  #notePins(node: AddressNode, kept: readonly AddressText[]): void {
    for (const address of this.#pinning.get(node) ?? []) {
      const keepers = this.#keeping.get(address);
      keepers?.delete(node);
      if (keepers?.size === 0) this.#keeping.delete(address);
    }
    this.#pinning.delete(node);
    if (kept.length === 0) return;
    this.#pinning.set(node, kept);
    for (const address of kept) {
      const keepers = this.#keeping.get(address) ?? new Set();
      this.#keeping.set(address, keepers.add(node));
    }
  }

  #branch(address: Address): Branch | undefined {
    let branch = this.#documents.get(address.document);
    for (const segment of address.segments) {
      branch = branch?.children.get(segment);
    }
    return branch;
  }
}

function childOf(children: Map<string, Branch>, name: string): Branch {
  const known = children.get(name);
  if (known !== undefined) return known;
  const added: Branch = { children: new Map(), node: undefined };
  children.set(name, added);
  return added;
}

/** Without those that are not wanted, and all below them. */
function collect(
  branch: Branch,
  into: AddressNode[],
  isWanted: (node: AddressNode) => boolean,
): void {
  const { node } = branch;
  if (node !== undefined && !isWanted(node)) return;
  if (node !== undefined) into.push(node);
  const names = [...branch.children.keys()].sort();
  for (const name of names) {
    const child = branch.children.get(name);
    if (child !== undefined) collect(child, into, isWanted);
  }
}

/** The definition a node contributes as a layer now; `null` when it contributes nothing. */
export function activeDefinition(node: Pick<AddressNode, 'release' | 'stable'>): Definition | null {
  return node.release.state === 'disabled' ? null : node.stable;
}

/** What a node contributes as a layer for the candidates of these releases. */
export function layerFor(
  node: Pick<AddressNode, 'release' | 'stable' | 'candidate'>,
  releases: ReadonlySet<string>,
): Definition | null {
  const { staged } = node.release;
  return staged !== null && releases.has(staged.id) ? node.candidate : activeDefinition(node);
}

export function contentOf(node: Pick<AddressNode, 'contents'>, cohort: string): Content {
  const content = node.contents.get(cohort);
  assert(content !== undefined, 'an address has a content for each of its cohorts');
  return content;
}

/** What consumers in no cohort read at a known address; `null`: absent. */
export function stableDocument(node: Pick<AddressNode, 'contents'>): JsonObject | null {
  return contentOf(node, STABLE_COHORT).effective;
}
