import { isAtOrBelow, refused } from '@pawl/contracts';
import type { Outcome } from '@pawl/contracts';
import { planTransition } from '@pawl/domain';
import type { ReleaseState } from '@pawl/domain';
import { assert } from '@pawl/kernel';
import { releasesOf } from '../sharding/cohorts.js';
import { activeDefinition } from '../sharding/root-tree.js';
import type { AddressNode, PinnedLayers, RootTree } from '../sharding/root-tree.js';
import { stagedOnWay, wayDown } from '../sharding/way-down.js';
import type { Hypothesis } from './evaluate-change.js';

/** Releases in stages under way on one way from the root down. */
const MAX_ON_PATH = 3;

/** A release in stages that ends because it stands in the way of something that may not wait. */
export interface Dropped {
  readonly node: AddressNode;
  readonly release: ReleaseState;
  readonly reason: string;
}

/** A release in stages that could be dropped. */
interface Droppable {
  /** Whether candidates of it are in any of these cohorts. */
  isIn(cohorts: readonly string[]): boolean;
  drop(reason: string): Dropped;
}

/** Refuses a release in stages that would be one too many somewhere, once these have ended with it. */
export function tooManyReleases(
  tree: RootTree,
  {
    node,
    next,
    ended,
  }: {
    readonly node: AddressNode;
    readonly next: ReleaseState;
    readonly ended: readonly Dropped[];
  },
): Outcome<never> | undefined {
  if (next.staged === null || next.staged.id === node.release.staged?.id) return undefined;
  if (tree.staged().length < MAX_ON_PATH) return undefined;
  const without = new Set([node, ...ended.map((one) => one.node)]);
  for (const { address } of [node, ...tree.reachedBelow(node.address)]) {
    const others = wayDown(tree.path(address)).filter(
      (layer) => !without.has(layer.node) && stagedOnWay(layer) !== null,
    );
    if (others.length < MAX_ON_PATH) continue;
    const names = others.map((one) => one.node.address.text);
    const below = names.filter(
      (name) => !tree.path(node.address).some((one) => one.address.text === name),
    );
    const preempt = below.length === 0 ? '' : `pre-empt ${below.join(' or ')} by name, `;
    return refused(
      'too-many-releases',
      `releases of ${names.join(', ')} are under way on the way to ${address.text}, and at most ` +
        `${MAX_ON_PATH} can be: let one end or abort it, ${preempt}or promote all at once`,
    );
  }
  return undefined;
}

/** Refuses that a layer is kept no more where releases in stages would be too many somewhere then. */
export function tooManyUnpinned(
  tree: RootTree,
  node: AddressNode,
  pinned: PinnedLayers,
): Outcome<never> | undefined {
  if (tree.staged().length <= MAX_ON_PATH) return undefined;
  for (const { address } of [node, ...tree.below(node.address)]) {
    const path = tree.path(address).map((one) => (one === node ? { ...one, pinned } : one));
    const staged = wayDown(path).filter((layer) => stagedOnWay(layer) !== null);
    if (staged.length <= MAX_ON_PATH) continue;
    const names = staged.map((one) => one.node.address.text).join(', ');
    return refused(
      'too-many-releases',
      `releases of ${names} would be under way on the way to ${address.text}, and at most ${MAX_ON_PATH} ` +
        'can be: let one end or abort it first',
    );
  }
  return undefined;
}

/**
 * The hypothesis where these releases end as well, and all others on the way to its address and below
 * it that could.
 */
export function dropping(
  tree: RootTree,
  hypothesis: Hypothesis,
  dropped: readonly Dropped[],
): { readonly hypothesis: Hypothesis; readonly all: readonly Droppable[] } {
  const { address } = hypothesis;
  const changes = new Map(hypothesis.changes);
  let highest = address;
  for (const { node } of dropped) {
    changes.set(node.address.text, { layer: activeDefinition(node), candidate: null });
    if (isAtOrBelow(highest, node.address)) highest = node.address;
  }
  const above = wayDown(tree.path(address)).filter((layer) => stagedOnWay(layer) !== null);
  const nodes = [...above.map(({ node }) => node), ...tree.reachedBelow(address)];
  const all = nodes.flatMap((node) => {
    const { staged } = node.release;
    if (staged === null || changes.has(node.address.text)) return [];
    const isIn = (cohorts: readonly string[]): boolean =>
      cohorts.some((key) => releasesOf(key).includes(staged.id));
    const drop = (reason: string): Dropped => ({ node, release: aborted(node), reason });
    return [{ isIn, drop }];
  });
  return { hypothesis: { ...hypothesis, address: highest, changes }, all };
}

/** What an abort makes of the state of an address where a release in stages is under way. */
export function aborted({ address, release, newest }: AddressNode): ReleaseState {
  const plan = planTransition({
    state: release,
    newestVersion: newest?.version ?? 0,
    request: { action: 'abort' },
    address: address.text,
    releaseId: '',
    asked: { by: '', at: '', generation: 1 },
  });
  assert(plan.ok, 'a release in stages that is under way can be aborted');
  return plan.value.next;
}
