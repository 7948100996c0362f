import { done, isAtOrBelow, parseAddress, refused } from '@pawl/contracts';
import type { AbortedView, Address, AddressText, Outcome } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import type { RootTree } from '../sharding/root-tree.js';
import { aborted } from './releases-in-flight.js';
import type { Dropped } from './releases-in-flight.js';

/** Releases that one answer lists as aborted. */
const MAX_LISTED = 100;

/** A promote, and the addresses below it whose releases in stages are to end with it. */
interface Preempting {
  readonly tree: RootTree;
  readonly address: Address;
  readonly names: readonly string[];
}

/** The releases in stages that a promote ends: each must be under way, and reached by it. */
export function preempted(of: Preempting, reason: string): Outcome<readonly Dropped[]> {
  const { tree, address, names } = of;
  if (names.length === 0) return done([]);
  const below = namesBelow(address, names);
  if (!below.ok) return below;
  const reached = new Set(tree.reachedBelow(address));
  const dropped: Dropped[] = [];
  for (const name of below.value) {
    const node = tree.get(name);
    if (node === undefined || node.release.staged === null) return notUnderWay(name);
    if (!reached.has(node)) {
      const detail =
        `a release of ${address.text} does not reach ${name.text}, which stays at a version that is pinned: ` +
        'leave it out of preempt, or abort it';
      return refused('invalid-transition', detail);
    }
    dropped.push({ node, release: aborted(node), reason });
  }
  return done(dropped);
}

/** Refuses a promote that changes nothing while one that it names is under way: nothing would end it. */
export function nothingPreempts({ tree, address, names }: Preempting): Outcome<never> | undefined {
  if (names.length === 0) return undefined;
  const below = namesBelow(address, names);
  if (!below.ok) return below;
  const underWay = below.value.filter((name) => (tree.get(name)?.release.staged ?? null) !== null);
  if (underWay.length === 0) return undefined;
  const detail =
    `this promote of ${address.text} is under way or done already, so it ends no other release: abort ` +
    underWay.map(({ text }) => text).join(', ');
  return refused('invalid-transition', detail);
}

/** Those of other addresses that end with a transition, as its answer lists them. */
export function abortedView(ended: readonly Dropped[]): { readonly aborted?: AbortedView[] } {
  if (ended.length === 0) return {};
  const views = ended.slice(0, MAX_LISTED).map(({ node: { address, release } }) => {
    const { staged, queued } = release;
    assert(staged !== null, 'what ends was under way');
    return {
      ...{ address: address.text, id: staged.id, version: staged.candidateVersion },
      ...(queued === null ? {} : { queued: queued.targetVersion }),
    };
  });
  return { aborted: views };
}

/** Each once. */
function namesBelow(address: Address, names: readonly string[]): Outcome<readonly Address[]> {
  const below = new Map<AddressText, Address>();
  for (const name of names) {
    const parsed = parseAddress(name);
    if (!parsed.ok) return refused('malformed-request', `preempt: ${parsed.message}`);
    const { text } = parsed.address;
    if (text === address.text || !isAtOrBelow(parsed.address, address)) {
      const detail = `${text} is not below ${address.text}, whose promote ends releases below it only`;
      return refused('malformed-request', `preempt: ${detail}`);
    }
    below.set(text, parsed.address);
  }
  return done([...below.values()]);
}

function notUnderWay({ text }: Address): Outcome<never> {
  const detail =
    `no release in stages of ${text} is under way that could be pre-empted: leave it out of preempt; ` +
    'cancel drops what is queued there';
  return refused('invalid-transition', detail);
}
