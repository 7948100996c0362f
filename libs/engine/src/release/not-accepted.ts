import { cohortKey, cohortOf } from '@pawl/contracts';
import type { Address, AddressText } from '@pawl/contracts';
import { releasesOf } from '../sharding/cohorts.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { contentOf } from '../sharding/root-tree.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { identityOf } from '../status/incarnation.js';
import type { Incarnation } from '../status/incarnation.js';
import type { Reading } from './accepted-kinds.js';
import { consumersAsked } from './preflight-round.js';

/** Those whom a release is still to reach and whose kind has not accepted what they would read. */
export interface NotAccepted {
  readonly instances: ReadonlySet<Incarnation>;
  readonly addresses: ReadonlySet<AddressText>;
}

/**
 * Calls back for each live instance that would read something else once a release in stages has reached
 * everybody, with the hash of that document; of workloads that are held for none.
 */
export function eachToReach(
  { tree, shard }: Pick<OwnedRoot, 'tree' | 'shard'>,
  node: AddressNode,
  tell: (reading: Reading) => void,
): void {
  const { staged } = node.release;
  if (staged === null) return;
  for (const place of [node, ...tree.reachedBelow(node.address)]) {
    const { releases } = place.head;
    const own = releases.find(({ id }) => id === staged.id);
    if (own === undefined) continue;
    const { text } = place.address;
    const hashes = new Map<string, string | null>();
    for (const one of consumersAsked(shard.consumers, text, {})) {
      if (own.held?.includes(one.ref.workload) === true) continue;
      const cohort = cohortOf(releases, identityOf(one));
      const known = hashes.get(cohort);
      const hash = known === undefined ? hashAfter(place, cohort, staged.id) : known;
      hashes.set(cohort, hash);
      if (hash !== null) tell({ one, address: text, hash });
    }
  }
}

/** Nobody where the release has no preflight, or is under way no more. */
export function notAccepted(root: OwnedRoot, address: Address): NotAccepted {
  const instances = new Set<Incarnation>();
  const addresses = new Set<AddressText>();
  const node = root.tree.get(address);
  const { id, preflight } = node?.release.staged ?? {};
  if (node === undefined || id === undefined || preflight === undefined) {
    return { instances, addresses };
  }
  eachToReach(root, node, (reading) => {
    if (root.accepted.has(id, reading)) return;
    instances.add(reading.one);
    addresses.add(reading.address);
  });
  return { instances, addresses };
}

/** Of what a cohort reads once a release has reached it; `null`: of what it reads already. */
function hashAfter(place: AddressNode, cohort: string, id: string): string | null {
  const releases = releasesOf(cohort);
  if (releases.includes(id)) return null;
  const after = cohortKey([...releases, id].map((one) => ({ id: one })));
  const { hash } = contentOf(place, after).variant;
  return hash === contentOf(place, cohort).variant.hash ? null : hash;
}
