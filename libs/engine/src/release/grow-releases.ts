import { canonicalize, done } from '@pawl/contracts';
import type { AddressText, SnapshotRelease } from '@pawl/contracts';
import { isInPreflight } from '@pawl/domain';
import type { SnapshotHead, StagedRelease } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { Publication } from '../publication/publication.js';
import { nextHead } from '../sharding/build-nodes.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { pathReleases, releasesAt } from '../sharding/path-releases.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { CommandRunner } from '../sharding/run-command.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import { instancesAt } from '../status/instances-at.js';
import { keptSlots } from '../status/kept-slots.js';
import { Turns } from '../turns.js';
import { notAccepted } from './not-accepted.js';
import { reachNodes } from './reach-nodes.js';

/** Nobody is looked at anew for so long while the same are there, milliseconds. */
const SAME_MS = 60_000;

/** Who is where a release reaches, and what they are told of it, summed up: the same is as it was. */
type Fleet = {
  readonly id: string;
  readonly stage: number;
  readonly comings: number;
  readonly live: number;
  readonly kept: number;
  readonly versions: number;
};

/** Gives workloads that have grown, or whose candidates are gone, since a stage was reached their share of it. */
export class GrowReleases {
  /** Of each address with a release, when everybody had a share, and who was there. */
  readonly #enough = new WeakMap<AddressNode, { readonly fleet: Fleet; readonly atMs: number }>();

  constructor(
    private readonly context: EngineContext,
    private readonly commands: CommandRunner,
    private readonly publication: Publication,
  ) {}

  /**
   * Names slots at the addresses that the release of `node` reaches, where a workload has less than its
   * share; only those addresses get a new snapshot. Nothing is written where none has, nor where somebody
   * has come by then who is to be asked first, see {@link notAccepted}.
   */
  async run(node: AddressNode): Promise<void> {
    const options = {
      name: 'grow-release',
      address: node.address,
      mode: 'exclusive',
      context: { actor: 'pawl' },
    } as const;
    const outcome = await this.commands.run(options, async (held) => {
      const heads: { readonly place: AddressNode; readonly head: SnapshotHead }[] = [];
      const turns = new Turns(this.context.scheduler);
      const same = held.tree.get(node.address);
      const isAccepted = notAccepted(held, node.address).instances.size === 0;
      const lacking = same === undefined || !isAccepted ? [] : this.#lacking(held, same);
      for (const { place, releases } of lacking) {
        const of = { tree: held.tree, above: place.head.version, releases };
        heads.push({ place, head: nextHead(this.context, place, of) });
        await turns.spent(place.head.variant.size);
      }
      const changes = { ...NO_CHANGES, snapshots: heads.map(({ head }) => head) };
      const apply = (): void => {
        for (const { place, head } of heads) {
          place.head = head;
          this.publication.enqueue(held, place);
        }
      };
      const body = undefined;
      return done({ status: 200, body, changes: heads.length === 0 ? null : changes, apply });
    });
    if (!outcome.ok) throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
  }

  /** Whether somebody lacks a share. Not worked out again while nobody has come or gone. */
  isLacking(root: OwnedRoot, node: AddressNode): boolean {
    const { staged, state } = node.release;
    if (staged === null || state !== 'rolling') return false;
    const fleet = fleetOf(root, node, staged);
    const nowMs = this.context.clock.monotonicMs();
    const known = this.#enough.get(node);
    const isRecent = known !== undefined && nowMs - known.atMs < SAME_MS;
    if (isRecent && isSame(known.fleet, fleet)) return false;
    if (this.#lacking(root, node).length > 0) return true;
    this.#enough.set(node, { fleet, atMs: nowMs });
    return false;
  }

  /** The addresses whose snapshots would tell more. */
  #lacking(
    { tree, shard }: OwnedRoot,
    node: AddressNode,
  ): { readonly place: AddressNode; readonly releases: readonly SnapshotRelease[] }[] {
    const { staged } = node.release;
    if (staged === null || node.release.state !== 'rolling' || isInPreflight(staged)) return [];
    const nodes = [node, ...tree.reachedBelow(node.address)];
    const reached = reachNodes(staged, nodes, shard.consumers);
    return nodes.flatMap((place) => {
      const before = place.head.releases;
      const stages = reached.get(place.address.text) ?? [];
      const path = pathReleases(tree, place.address);
      const releases = releasesAt(path, { before, reached: { id: staged.id, stages } });
      return isSame(before, releases) ? [] : [{ place, releases }];
    });
  }
}

function fleetOf(
  { tree, shard: { consumers } }: OwnedRoot,
  node: AddressNode,
  { id, stage }: StagedRelease,
): Fleet {
  let [live, versions] = [0, 0];
  const addresses: AddressText[] = [];
  for (const { address, head } of [node, ...tree.reachedBelow(node.address)]) {
    live += instancesAt(consumers, address.text).length;
    versions += head.version;
    addresses.push(address.text);
  }
  const { size: kept } = keptSlots(consumers, addresses);
  return { id, stage, comings: consumers.comings, live, kept, versions };
}

function isSame<T extends Fleet | readonly SnapshotRelease[]>(a: T, b: T): boolean {
  return canonicalize(a) === canonicalize(b);
}
