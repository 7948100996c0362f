import { LIMITS, refused } from '@pawl/contracts';
import type { Address, AddressText, Outcome, PreflightRequest } from '@pawl/contracts';
import { planTransition } from '@pawl/domain';
import type { Definition } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { activeDefinition } from '../sharding/root-tree.js';
import type { AddressNode, Content, RootTree } from '../sharding/root-tree.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { evaluateChange, replacing, stableVariant } from './evaluate-change.js';
import type { Variant } from './evaluate-change.js';
import { complaints, refusal } from './refusal.js';

/** Addresses that one preflight lists, and asks at; of more nobody could say that all were asked. */
const MAX_ADDRESSES = 10_000;

/** What would be read at one address. */
export interface WouldBe {
  readonly address: Address;
  readonly changed: boolean;
  /** Of the snapshot that would be published. */
  readonly version: number;
  /** `null` where nobody is there who would read it. */
  readonly content: Content | null;
}

/** What a promotion would make of an address and of those below it. */
export interface Question {
  readonly version: number;
  readonly addresses: readonly WouldBe[];
  /** What the other layers are that this was worked out from. */
  readonly layers: ReadonlyMap<AddressText, number>;
}

/**
 * Works out what promoting a version would make of what is read, for consumers that are in no cohort.
 * What `promote` refuses is refused as it does. `isRead` says where somebody is.
 */
export async function preflightQuestion(
  context: EngineContext,
  of: {
    readonly root: OwnedRoot;
    readonly address: Address;
    readonly request: PreflightRequest;
    readonly isRead: (address: AddressText) => boolean;
  },
): Promise<Outcome<Question>> {
  const { root, address, isRead } = of;
  const { tree } = root;
  const node = tree.get(address);
  if (node === undefined || node.newest === null) {
    return refused('not-found', `there is no definition at ${address.text} to release`);
  }
  const version = of.request.targetVersion ?? node.newest.version;
  const trouble = promoting(node, version);
  if (trouble !== undefined) return trouble;
  const layers = layersAround(tree, address);
  const definition = await definitionOf(context, root, { node, version });
  const addresses: WouldBe[] = [];
  const wrong: Variant[] = [];
  for await (const variant of evaluateChange(context, tree, replacing(address, definition))) {
    if (complaints(variant).length > 0) wrong.push(variant);
    if (wrong.length > 0) continue;
    if (addresses.length >= MAX_ADDRESSES) {
      return refused(
        'too-large',
        `more than ${MAX_ADDRESSES} addresses lie below ${address.text}: preflight what lies below it in parts`,
      );
    }
    addresses.push(wouldBe(variant, isRead(variant.address.text)));
  }
  const problem = refusal(wrong);
  if (problem !== undefined) return { ok: false, problem };
  return { ok: true, value: { version, addresses, layers } };
}

/**
 * Definition versions that the addresses on the way to one and below it contribute; not its own, which
 * is what is asked about.
 */
export function layersAround(tree: RootTree, address: Address): Map<AddressText, number> {
  const layers = new Map<AddressText, number>();
  for (const node of [...tree.path(address), ...tree.below(address)]) {
    const { text } = node.address;
    if (text !== address.text) layers.set(text, activeDefinition(node)?.version ?? 0);
  }
  return layers;
}

/** Whether these contribute the same: an address that is not listed contributes nothing. */
export function areSameLayers(
  before: ReadonlyMap<AddressText, number>,
  now: ReadonlyMap<AddressText, number>,
): boolean {
  const addresses = new Set([...before.keys(), ...now.keys()]);
  return [...addresses].every((text) => (before.get(text) ?? 0) === (now.get(text) ?? 0));
}

/** Contents that do not travel inside messages. */
export function isLarge({ variant }: Content): boolean {
  return variant.size > LIMITS.inlineBytes;
}

/** Content that nobody is to be asked about is not held. */
function wouldBe(variant: Variant, isRead: boolean): WouldBe {
  const { changed, ...content } = stableVariant(variant);
  const { address, node } = variant;
  const version = (node?.head.version ?? 0) + 1;
  return { address, changed, version, content: isRead ? content : null };
}

function promoting(node: AddressNode, targetVersion: number): Outcome<never> | undefined {
  const plan = planTransition({
    state: node.release,
    newestVersion: node.newest?.version ?? 0,
    request: { action: 'promote', targetVersion },
    address: node.address.text,
    releaseId: '',
  });
  return plan.ok ? undefined : plan;
}

async function definitionOf(
  context: EngineContext,
  root: OwnedRoot,
  { node, version }: { readonly node: AddressNode; readonly version: number },
): Promise<Definition> {
  const known = [node.newest, node.stable, node.candidate];
  const found = known.find((definition) => definition?.version === version);
  return found ?? storedDefinition(context, root, { address: node.address, version });
}
