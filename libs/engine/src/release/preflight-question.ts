import { LIMITS, refused } from '@pawl/contracts';
import type { Address, AddressText, Outcome, PreflightRequest } from '@pawl/contracts';
import { ALL_AT_ONCE, planTransition } from '@pawl/domain';
import type { Definition } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { activeDefinition } from '../sharding/root-tree.js';
import type { AddressNode, Content, RootTree } from '../sharding/root-tree.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { cohortAmong, cohortsOf } from '../sharding/cohorts.js';
import { evaluateChange, replacing } from './evaluate-change.js';
import type { Variant } from './evaluate-change.js';
import { complaints, refusal } from './refusal.js';

/** Addresses that one preflight lists, and asks at; of more nobody could say that all were asked. */
const MAX_ADDRESSES = 10_000;

/** What would be read at one address. */
export interface WouldBe {
  readonly address: Address;
  /** Whether anybody would read something else there. */
  readonly changed: boolean;
  /** Of the snapshot that would be published. */
  readonly version: number;
  /**
   * What would be something else, by the cohort that its readers are in now; empty where nobody is who
   * would read it.
   */
  readonly contents: ReadonlyMap<string, Content>;
}

/** What the addresses around one contribute, and to whom: other texts where that is another. */
export type Layers = ReadonlyMap<AddressText, string>;

/** What a promotion would make of an address and of those below it. */
export interface Question {
  readonly version: number;
  readonly addresses: readonly WouldBe[];
  /** What the other layers are that this was worked out from. */
  readonly layers: Layers;
}

/**
 * Works out what promoting a version to all would make of what each cohort reads: other releases in
 * stages stay as far as they are, one of the address itself ends. What `promote` refuses is refused as it
 * does. `isRead` says where somebody is.
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
  const own = node.release.staged?.id;
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
    addresses.push(wouldBe(variant, { own, isRead: isRead(variant.address.text) }));
  }
  const problem = refusal(wrong);
  if (problem !== undefined) return { ok: false, problem };
  return { ok: true, value: { version, addresses, layers } };
}

/**
 * What the addresses on the way to one and below it contribute, how far their releases in stages are, and what
 * they are pinned to; not its own layer, which is what is asked about.
 */
export function layersAround(tree: RootTree, address: Address): Layers {
  const layers = new Map<AddressText, string>();
  for (const node of [...tree.path(address), ...tree.below(address)]) {
    const { text } = node.address;
    const kept = node.release.pins.map((pin) => `${pin.ancestor}@${pin.version}`);
    const said = text === address.text ? kept : [...contributed(node), ...kept];
    if (said.length > 0) layers.set(text, said.join(' '));
  }
  return layers;
}

/** Nothing where it contributes nothing to anybody. */
function contributed(node: AddressNode): string[] {
  const { staged } = node.release;
  const version = activeDefinition(node)?.version ?? 0;
  if (staged !== null) return [`${version} ${staged.id} ${staged.stage}`];
  return version === 0 ? [] : [`${version}`];
}

/** Whether these contribute the same: an address that is not listed contributes nothing. */
export function areSameLayers(before: Layers, now: Layers): boolean {
  return before.size === now.size && [...before].every(([text, layer]) => now.get(text) === layer);
}

/** Contents that do not travel inside messages. */
export function isLarge({ variant }: Content): boolean {
  return variant.size > LIMITS.inlineBytes;
}

/** Content that nobody is to be asked about is not held. `own`: the release that would end. */
function wouldBe(
  { address, node, cohorts }: Variant,
  of: { readonly own: string | undefined; readonly isRead: boolean },
): WouldBe {
  const contents = new Map<string, Content>();
  const ids = (node?.head.releases ?? []).map(({ id }) => id);
  const next = ids.filter((id) => id !== of.own);
  let changed = node === undefined;
  for (const now of cohortsOf(ids)) {
    const content = cohorts.get(cohortAmong(now, next).key);
    const isSame = content?.variant.hash === node?.contents.get(now.key)?.variant.hash;
    if (content === undefined || isSame) continue;
    changed = true;
    const { effective, handedDown, variant } = content;
    if (of.isRead) contents.set(now.key, { effective, handedDown, variant });
  }
  return { address, changed, version: (node?.head.version ?? 0) + 1, contents };
}

function promoting(node: AddressNode, targetVersion: number): Outcome<never> | undefined {
  const plan = planTransition({
    state: node.release,
    newestVersion: node.newest?.version ?? 0,
    request: { action: 'promote', targetVersion, strategy: ALL_AT_ONCE },
    address: node.address.text,
    releaseId: '',
    asked: { by: '', at: '', generation: 1 },
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
