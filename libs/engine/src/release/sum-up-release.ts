import { done } from '@pawl/contracts';
import type { Address, Outcome, ReleaseSummary } from '@pawl/contracts';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { noOwner } from '../sharding/refusals.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import { toldRelease } from '../sharding/told-release.js';
import { compareText } from '../status/rollout-view.js';
import { countCandidate, eachCandidate, noCandidates } from './candidates.js';
import { noSuchRelease, stagedItem } from './list-releases.js';
import type { WatchReleases } from './watch-releases.js';

/** Addresses, and workloads, that are listed; all are counted. */
const MAX_LISTED = 1_000;
const MAX_REASONS = 20;

type Counts = { -readonly [Key in keyof ReleaseSummary['candidates']]: number };

/** What a release in stages has reached over every address below its own, as their owner sees it. */
export function sumUpRelease(
  parts: { readonly shards: ShardRegistry; readonly watch: WatchReleases },
  address: Address,
  id: string,
): Outcome<ReleaseSummary> {
  const place = parts.shards.find(address);
  if (place === undefined) {
    return parts.shards.serves(address.root) ? noSuchRelease(id) : noOwner();
  }
  const { root, node } = place;
  const { staged, state, releaseVersion, stableVersion } = node.release;
  if (staged?.id !== id || (state !== 'rolling' && state !== 'paused')) return noSuchRelease(id);
  const { text } = node.address;
  const item = stagedItem({ address: text, state, releaseVersion, stableVersion, staged });
  const sinceMs = parts.watch.knownSinceMs(root, node);
  const sum = reached(root, node, { id, sinceMs });
  const held = staged.held === undefined ? {} : { held: staged.held };
  return done({ ...item, ...sum, ...held, ...parts.watch.progress(root, node) });
}

type Reached = Omit<
  ReleaseSummary,
  keyof ReturnType<typeof stagedItem> | 'bakeLeftMs' | 'asking' | 'frozen'
>;

function reached(
  root: OwnedRoot,
  released: AddressNode,
  { id, sinceMs }: { readonly id: string; readonly sinceMs: number },
): Reached {
  const { consumers } = root.shard;
  const candidates = noCounts();
  const addresses: { readonly address: string; readonly candidates: Counts }[] = [];
  const workloads = new Map<string, Counts>();
  const reasons = new Map<string, number>();
  for (const node of [released, ...root.tree.reachedBelow(released.address)]) {
    if (!node.head.releases.some((one) => one.id === id)) continue;
    const here = noCounts();
    addresses.push({ address: node.address.text, candidates: here });
    const release = toldRelease(node, id);
    if (release === undefined) continue;
    eachCandidate({ node, release, consumers, sinceMs }, (seen) => {
      const ofWorkload = workloads.get(seen.workload) ?? noCounts();
      workloads.set(seen.workload, ofWorkload);
      for (const sum of [candidates, here, ofWorkload]) countCandidate(sum, seen);
      if (seen.state !== 'rejected') return;
      reasons.set(seen.reason ?? '', (reasons.get(seen.reason ?? '') ?? 0) + 1);
    });
  }
  const byWorkload = [...workloads].map(([workload, counts]) => ({ workload, ...counts }));
  const isMore = addresses.length > MAX_LISTED || byWorkload.length > MAX_LISTED;
  return {
    candidates,
    addresses: addresses
      .sort((a, b) => order(a.candidates, b.candidates) || compareText(a.address, b.address))
      .slice(0, MAX_LISTED),
    byWorkload: byWorkload
      .sort((a, b) => order(a, b) || compareText(a.workload, b.workload))
      .slice(0, MAX_LISTED),
    ...(isMore ? { more: true as const } : {}),
    rejections: [...reasons]
      .map(([reason, count]) => ({ reason, count }))
      .sort((a, b) => b.count - a.count || compareText(a.reason, b.reason))
      .slice(0, MAX_REASONS),
  };
}

function noCounts(): Counts {
  const { reason: _, ...counts } = noCandidates();
  return counts;
}

/** What is in trouble first, then what lags, then what has most candidates. */
function order(a: Counts, b: Counts): number {
  const trouble = b.rejected + b.lost - (a.rejected + a.lost);
  return trouble || b.lagging - a.lagging || b.live - a.live;
}
