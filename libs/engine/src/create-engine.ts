import { done } from '@pawl/contracts';
import type { Address, Outcome, ReleaseRequest, ReleaseView, RolloutView } from '@pawl/contracts';
import type { TimerHandle } from '@pawl/kernel';
import type {
  CommandContext,
  ConfigEngine,
  EngineStatus,
  FleetStatus,
  SweepKind,
  Written,
} from './config-engine.js';
import { ValidationOverloadedError } from './config/schema-validator.port.js';
import { listScopes } from './config/list-scopes.js';
import { mergeConfig, previewMerge } from './config/merge-config.js';
import { previewChange } from './config/preview.js';
import { PutDefinition } from './config/put-definition.js';
import { ReadDefinitions } from './config/read-definitions.js';
import { deleteSchema, patchConfig, putConfig, putSchema } from './config/write-config.js';
import type { EngineContext } from './engine-context.js';
import { Publication } from './publication/publication.js';
import { isPinAction } from '@pawl/domain';
import { ChangePins } from './release/change-pins.js';
import { ChangeRelease } from './release/change-release.js';
import { ExpiredPins } from './release/expired-pins.js';
import { layerPins } from './release/layer-pins.js';
import { pinnedBelow } from './release/pinned-below.js';
import { GrowReleases } from './release/grow-releases.js';
import { endedRelease, listEndedReleases } from './release/ended-releases.js';
import { findRelease, listReleases } from './release/list-releases.js';
import { NoteDryRun } from './release/note-dry-run.js';
import { PreflightStage } from './release/preflight-stage.js';
import { Preflights } from './release/preflight.js';
import { readEffective, unknownAddress } from './release/read-effective.js';
import { frozenView } from './release/release-policy.js';
import { queuedView, releaseView } from './release/release-view.js';
import { releasesView } from './release/releases-view.js';
import { sumUpRelease } from './release/sum-up-release.js';
import { PausedReleases } from './release/paused-releases.js';
import { TimedReleases } from './release/timed-releases.js';
import { WatchReleases } from './release/watch-releases.js';
import type { OwnerTarget } from './routing/owner-calls.port.js';
import { clusterView } from './sharding/cluster-view.js';
import type { OwnedRoot } from './sharding/owned-shard.js';
import { FenceChecks } from './sharding/fence-checks.js';
import { CommandRunner, tooMuchValidation } from './sharding/run-command.js';
import { restoreUseCases } from './sharding/restore.js';
import type { RestoreUseCases } from './sharding/restore.js';
import type { ShardHost } from './sharding/shard-ownership.port.js';
import { ShardRegistry } from './sharding/shard-registry.js';
import type { AddressNode } from './sharding/root-tree.js';
import { consumersThen } from './status/consumers-then.js';
import { ConsumerTraffic } from './status/consumer-traffic.js';
import { consumerPage, rolloutView } from './status/rollout-view.js';
import { SavedViews } from './status/saved-views.js';
import { fleetStatus } from './status/fleet-status.js';
import { RolloutWatchers } from './status/rollout-watchers.js';
import { StatusSaver } from './status/save-status.js';
import { sweepShard } from './status/sweep-shard.js';
import { confirmedAt, unconfirmedSince } from './status/unconfirmed-since.js';

/** How often watchers of rollouts are told that time has passed, and releases looked at, milliseconds. */
const TICK_MS = 1_000;

export interface Engine {
  readonly use: ConfigEngine;
  readonly restore: RestoreUseCases;
  /** What the ownership calls when shards come and go. */
  readonly host: ShardHost;
  /** Whether this node serves the shard of a root. */
  readonly serves: (root: string) => boolean;
  /** Whether it serves this shard under this very token. */
  servesUnder(target: OwnerTarget): boolean;
  /** Removes what has expired in a shard; `undefined` when this node does not serve it so. */
  sweep(target: OwnerTarget, kind: SweepKind): Promise<number | undefined>;
  /** Rollout and consumers as they were last saved, whoever owns the address. */
  readonly saved: Pick<ConfigEngine, 'getRollout' | 'listConsumers'>;
  status(): EngineStatus;
  /** Goes through every consumer: for metrics, not for every request. */
  fleet(): FleetStatus;
  /** Ends timers and writes what waits; the ports stay open, they are the caller's. */
  stop(): Promise<void>;
}

/** Wires the use-cases to their ports. Nothing happens before the ownership claims shards. */
export function createEngine(context: EngineContext): Engine {
  const watchers = new RolloutWatchers();
  const publication = new Publication(context);
  const shards = new ShardRegistry(context, publication, watchers);
  const fences = new FenceChecks(context, shards);
  const commands = new CommandRunner(context, shards, fences);
  const saver = new StatusSaver(context, shards);
  publication.start(shards);
  saver.start();
  fences.start();
  context.publisher.onRestored(() => {
    void shards.reconcileAll().catch((error: unknown) => {
      context.log.error('reconciling after a reconnect failed', { error: String(error) });
    });
  });
  const releases = new ChangeRelease(context, commands, publication);
  const grow = new GrowReleases(context, commands, publication);
  const notes = new NoteDryRun(context, commands);
  const preflights = new Preflights(context, shards);
  const closed = (root: OwnedRoot): void => watch.soon(root);
  const preflight = new PreflightStage(context, { preflights, releases, closed });
  const watch = new WatchReleases(context, { shards, releases, grow, notes, preflight });
  const paused = new PausedReleases(context, releases);
  const pins = new ChangePins(context, commands, publication);
  const expired = new ExpiredPins(context, pins);
  const timed = new TimedReleases(context, { shards, releases, paused, pins: expired });
  const ticker = startTicker(context, () => {
    watchers.tick();
    watch.look();
    timed.look();
  });
  return {
    use: {
      ...useCases(context, {
        ...{ publication, shards, fences, commands, watchers, releases, watch, timed, paused },
        ...{ pins, expired },
      }),
      ...preflightUseCases(fences, preflights),
    },
    restore: restoreUseCases(context, fences, shards),
    host: shards,
    serves: (root) => shards.shardOf(root) !== undefined,
    servesUnder: (target) => shards.servedUnder(target) !== undefined,
    sweep: async (target, kind) => {
      const shard = shards.servedUnder(target);
      return shard && sweepShard(context, { shards, fences, publication }, shard, kind);
    },
    saved: new SavedViews(context),
    status: () => {
      const served = shards.served();
      return {
        ownedShards: shards.owned,
        servedShards: served.length,
        readOnlyShards: served.filter(({ behind }) => behind !== null).length,
        pendingPublications: publication.pending,
        liveConsumers: served.reduce((sum, shard) => sum + shard.consumers.liveCount, 0),
      };
    },
    fleet: () => fleetStatus(context, shards.served()),
    stop: async () => {
      ticker.stop();
      preflights.stop();
      await Promise.all([watch.stop(), timed.stop()]);
      fences.stop();
      await publication.stop();
      await saver.stop();
      shards.stop();
    },
  };
}

interface Parts {
  readonly publication: Publication;
  readonly shards: ShardRegistry;
  readonly fences: FenceChecks;
  readonly commands: CommandRunner;
  readonly watchers: RolloutWatchers;
  readonly releases: ChangeRelease;
  readonly watch: WatchReleases;
  readonly timed: TimedReleases;
  readonly paused: PausedReleases;
  readonly pins: ChangePins;
  readonly expired: ExpiredPins;
}

/** Since when nobody confirmed what is told; nothing where it is so now. */
interface Age {
  readonly asOf?: string;
}

type PreflightUseCases = Pick<ConfigEngine, 'preflight' | 'vote'>;
type OtherUseCases = Omit<ConfigEngine, keyof PreflightUseCases>;

function preflightUseCases(fences: FenceChecks, preflights: Preflights): PreflightUseCases {
  return {
    preflight: (address, request, id) =>
      fences.read(address.root, () => preflights.run({ id, address, request })),
    vote: (from, vote) => preflights.vote(from, vote),
  };
}

function useCases(context: EngineContext, parts: Parts): OtherUseCases {
  const { publication, shards, fences, commands, watchers, watch, timed, paused } = parts;
  const put = new PutDefinition(context, commands, publication);
  const reads = new ReadDefinitions(context, shards);
  const traffic = new ConsumerTraffic(context, {
    ...{ shards, commands, publication, watchers },
    rejected: (root) => watch.soon(root),
  });
  /**
   * Status is told while a commit's outcome is looked up too, which may take as long as an outage; with its
   * age then, and when the fence was not confirmed for a lease.
   */
  const withStatus = <T>(
    address: Address,
    view: (node: AddressNode, root: OwnedRoot, age: Age) => T,
  ): Outcome<T> => {
    const place = shards.findPublished(address);
    if (place === undefined) return unknownAddress(shards, address);
    const { root, node } = place;
    const { shard, uncertain } = root;
    const asOf = uncertain ? confirmedAt(context, shard) : unconfirmedSince(context, shard);
    return done(view(node, root, asOf === undefined ? {} : { asOf }));
  };
  return {
    putConfig: (options, document) => putConfig(context, put, options, document),
    patchConfig: (options, kind, value) => patchConfig(context, put, options, { kind, value }),
    putSchema: (options, schema) => putSchema(context, put, options, schema),
    deleteSchema: (options) => deleteSchema(context, put, options),
    ...mergeUseCases(context, parts, { put, reads }),
    getConfig: (address, version) =>
      fences.read(address.root, () => reads.config(address, version)),
    getSchema: (address, version) =>
      fences.read(address.root, () => reads.schema(address, version)),
    release: (address, request, command) => runRelease(parts, address, { request, command }),
    getRelease: (address) => fences.read(address.root, () => releaseNow(context, parts, address)),
    getEffective: (address, query) =>
      fences.read(address.root, () => readEffective(parts, address, query)),
    getRollout: async (address) =>
      withStatus(address, (node, root, age) => {
        const view = rolloutView(node, root.shard.consumers);
        const under = root.uncertain ? [] : releasesView(root, node, { watch, paused });
        const shown = under.length === 0 ? {} : { releases: under };
        const { queued } = root.uncertain ? { queued: null } : node.release;
        const later = queued && { queued: queuedView(queued, timed.waitsFor(root, node)) };
        const bound = root.uncertain ? {} : boundViews(context, parts, { root, node });
        return {
          ...view,
          ...shown,
          ...later,
          ...bound,
          converged: view.converged && age.asOf === undefined,
          ...age,
        };
      }),
    watchRollout: (address, changed) => watchers.add(address.text, changed),
    listConsumers: async (address, query) =>
      withStatus(address, (node, root, age) => ({
        ...consumerPage(context, { node, consumers: root.shard.consumers }, query),
        ...age,
      })),
    listHistory: (address, query) => fences.read(address.root, () => reads.history(address, query)),
    listAudit: (query) => reads.audit(query),
    listEndedReleases: (query) => listEndedReleases(reads, query),
    endedRelease: (id) => endedRelease(reads, id),
    diff: (address, from, to) => fences.read(address.root, () => reads.diff(address, from, to)),
    preview: (address, request) =>
      fences.read(address.root, () => validating(previewChange(context, shards, address, request))),
    ...overAll(context, parts),
    cluster: async () => done(await clusterView(context, shards, fences.behind)),
    hello: (from, hello) => traffic.hello(from, hello),
    ack: (from, ack) => traffic.ack(from, ack),
  };
}

/** A release that begins with a preflight asks soon, and not only when releases are looked at next. */
async function runRelease(
  parts: Parts,
  address: Address,
  of: { readonly request: ReleaseRequest; readonly command: CommandContext },
): Promise<Outcome<Written<ReleaseView>>> {
  const { action } = of.request;
  if (isPinAction(action)) return parts.pins.run(address, { ...of.request, action }, of.command);
  const outcome = await parts.releases.run(address, of.request, of.command);
  const begins = outcome.ok && outcome.value.body.staged?.preflight !== undefined;
  if (begins) lookAgain(parts, address);
  return outcome;
}

function lookAgain(
  { shards, watch, timed }: Pick<Parts, 'shards' | 'watch' | 'timed'>,
  address: Address,
): Outcome<null> {
  const place = shards.find(address);
  if (place === undefined) return unknownAddress(shards, address);
  watch.soon(place.root);
  timed.lookAt(place.root);
  return done(null);
}

type MergeUseCases = Pick<ConfigEngine, 'mergeConfig' | 'planMerge' | 'getMergeBase'>;

function mergeUseCases(
  context: EngineContext,
  { shards, fences }: Pick<Parts, 'shards' | 'fences'>,
  { put, reads }: { readonly put: PutDefinition; readonly reads: ReadDefinitions },
): MergeUseCases {
  return {
    mergeConfig: (options, change) => mergeConfig(context, put, options, change),
    planMerge: (address, change) =>
      fences.read(address.root, () =>
        validating(previewMerge(context, { shards, put }, address, change)),
      ),
    getMergeBase: (address, from) =>
      fences.read(address.root, () => reads.mergeBase(address, from)),
  };
}

/** What the work comes to, or that too much is validated just now. */
function validating<T>(work: Promise<Outcome<T>>): Promise<Outcome<T>> {
  return work.catch((error: unknown) => {
    if (error instanceof ValidationOverloadedError) return tooMuchValidation();
    throw error;
  });
}

function releaseNow(
  context: EngineContext,
  { shards, timed, expired }: Pick<Parts, 'shards' | 'timed' | 'expired'>,
  address: Address,
): Outcome<ReleaseView> {
  const place = shards.find(address);
  if (place === undefined) return unknownAddress(shards, address);
  const { root, node } = place;
  const about = {
    waitsFor: timed.waitsFor(root, node),
    pinnedBelow: pinnedBelow(root.tree, node, (below) => expired.overdue(root, below)),
    overdue: expired.overdue(root, node),
    ...frozenView(context, root.tree, address),
  };
  return done(releaseView(node.address, node.release, about));
}

/** What is kept at an address of those above it, where below it something is kept of it, and what freezes it. */
function boundViews(
  context: EngineContext,
  { expired }: Pick<Parts, 'expired'>,
  { root, node }: { readonly root: OwnedRoot; readonly node: AddressNode },
): Pick<RolloutView, 'pins' | 'pinnedBelow' | 'frozen'> {
  const below = pinnedBelow(root.tree, node, (at) => expired.overdue(root, at));
  const frozen = frozenView(context, root.tree, node.address);
  const own = { ...layerPins(root, node, expired), ...frozen };
  return below === undefined ? own : { ...own, pinnedBelow: below };
}

type OverAll =
  'listScopes' | 'listReleases' | 'findRelease' | 'consumersThen' | 'sumUpRelease' | 'lookAgain';

/** What is told over all shards, where that leads to, and what has an owner look again. */
function overAll(
  context: EngineContext,
  { shards, fences, watch, timed }: Parts,
): Pick<ConfigEngine, OverAll> {
  return {
    listScopes: (query) => listScopes(context.truth, query),
    listReleases: (query) => listReleases(context.truth, query),
    findRelease: (id) => findRelease(context.truth, id),
    consumersThen: (address, query) => consumersThen(context, address, query),
    sumUpRelease: (address, id) =>
      fences.read(address.root, () => sumUpRelease({ shards, watch }, address, id)),
    lookAgain: async (address) => lookAgain({ shards, watch, timed }, address),
  };
}

function startTicker(context: EngineContext, tick: () => void): { stop(): void } {
  let handle: TimerHandle | undefined;
  const again = (): void => {
    handle = context.timer.after(TICK_MS, () => {
      again();
      tick();
    });
  };
  again();
  return { stop: () => handle?.cancel() };
}
