import type { Address, ReleaseRequest, RolloutRelease } from '@pawl/contracts';
import type { StagedRelease } from '@pawl/domain';
import type { TimerHandle } from '@pawl/kernel';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import type { Candidates } from './candidates.js';
import type { ChangeRelease } from './change-release.js';
import { gatherEvidence, noEvidence } from './gather-evidence.js';
import type { Evidence } from './gather-evidence.js';
import type { GrowReleases } from './grow-releases.js';
import { isShort, judgeGates } from './judge-gates.js';
import type { Verdict } from './judge-gates.js';
import { frozenFor } from './release-policy.js';

/** Who advances, pauses and aborts by evidence, in history and audit. */
const ACTOR = 'pawl';
/** A look counts as much of a bake at most, so that a process that was suspended skips none of it. */
const MAX_STEP_MS = 2_000;
/** Pause after something that did not succeed, milliseconds. */
const RETRY_MS = 10_000;
/** Pause between two fillings up of the same release, milliseconds. */
const GROW_EVERY_MS = 5_000;

/** How long rejections are gathered before they are looked at, milliseconds. */
const GATHER_MS = 50;

/** What the owner has seen of one stage. */
interface Watch {
  readonly id: string;
  readonly stage: number;
  /** Monotonic time at which this owner first saw the release. */
  readonly sinceMs: number;
  /** How long its candidates were well while everything was published, milliseconds. */
  bakedMs: number;
  /** Monotonic time of the last look at which everything was published; `null`: it was not. */
  publishedMs: number | null;
  /** Of that look: where it is another now, it may have been paused in between, and that is not baked. */
  releaseVersion: number;
  /** The versions published then, summed up: they only grow. */
  versions: number;
  /** How long too few have applied just these versions, milliseconds. */
  shortMs: number;
  /** It was not rolling at the last look: whoever resumes it has seen what is wrong. */
  isHeld: boolean;
  forgiven: Pick<Candidates, 'rejected' | 'lost'>;
  /** Monotonic times before which each is not done (again). */
  readonly notBefore: Record<Deed, number>;
  /** What is under way. */
  readonly doing: Set<Deed>;
  verdict: Verdict | null;
}

type Deed = 'stop' | 'advance' | 'grow';

/**
 * Advances, pauses and aborts the releases in stages of the shards that this node serves, by what their
 * candidates report. What it does it does as anybody would, under the fencing token and from the
 * release version that it saw, so two owners cannot both do it. Time is the owner's own monotonic clock:
 * who takes a shard over begins the bake of the stage anew.
 */
export class WatchReleases {
  readonly #watches = new WeakMap<OwnedRoot, Map<Address['text'], Watch>>();
  readonly #running = new Set<Promise<void>>();
  /** Roots that are looked at shortly. */
  readonly #soon = new Map<OwnedRoot, TimerHandle>();
  #stopped = false;

  constructor(
    private readonly context: EngineContext,
    private readonly parts: {
      readonly shards: ShardRegistry;
      readonly releases: ChangeRelease;
      readonly grow: GrowReleases;
    },
  ) {}

  /** Looks at every release under way; called once a second. */
  look(): void {
    for (const shard of this.parts.shards.served()) {
      if (shard.behind !== null) continue;
      for (const root of shard.roots.values()) this.lookAt(root);
    }
  }

  /** Looks at the releases of one root. */
  lookAt(root: OwnedRoot): void {
    if (root.uncertain) return;
    for (const node of root.tree.staged()) {
      try {
        this.#look(root, node);
      } catch (error) {
        const fields = { address: node.address.text, error: String(error) };
        this.context.log.error('a release could not be looked at', fields);
      }
    }
  }

  /** Looks at the releases of a root shortly: a consumer has rejected something. */
  soon(root: OwnedRoot): void {
    if (this.#stopped || this.#soon.has(root)) return;
    const look = (): void => {
      this.#soon.delete(root);
      if (root.shard.serving && root.shard.behind === null) this.lookAt(root);
    };
    this.#soon.set(root, this.context.timer.after(GATHER_MS, look));
  }

  /** Begins nothing more, and ends when nothing that it began is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#soon.values()) timer.cancel();
    this.#soon.clear();
    await Promise.all(this.#running);
  }

  /** What is left of the bake, and why the release does not go on. */
  progress(root: OwnedRoot, node: AddressNode): Pick<RolloutRelease, 'bakeLeftMs' | 'reason'> {
    const { staged, state } = node.release;
    if (staged === null) return {};
    if (state === 'paused') return staged.pausedFor === null ? {} : { reason: staged.pausedFor };
    const watch = this.#watch(root, node, staged);
    const bakeLeftMs = Math.max(0, Math.ceil(bakeMsOf(staged) - watch.bakedMs));
    const { verdict } = watch;
    if (verdict !== null && verdict.kind !== 'pass') return { bakeLeftMs, reason: verdict.why };
    if (watch.publishedMs === null) return { bakeLeftMs, reason: 'it is being published' };
    return { bakeLeftMs };
  }

  /** Since when this owner knows the release under way at an address, monotonic milliseconds. */
  knownSinceMs(root: OwnedRoot, node: AddressNode): number {
    const { staged } = node.release;
    return staged === null ? Infinity : this.#watch(root, node, staged).sinceMs;
  }

  #look(root: OwnedRoot, node: AddressNode): void {
    const { staged, state } = node.release;
    if (staged === null) return;
    const watch = this.#watch(root, node, staged);
    const nowMs = this.context.clock.monotonicMs();
    if (state !== 'rolling') {
      watch.publishedMs = null;
      watch.isHeld = true;
      return;
    }
    const { evidence, stepMs, isSame } = this.#observe(root, node, { watch, nowMs });
    const { all } = evidence;
    const seen = watch.isHeld ? all : watch.forgiven;
    watch.isHeld = false;
    // What has healed since is not forgiven a second time.
    watch.forgiven = {
      rejected: Math.min(seen.rejected, all.rejected),
      // While nobody can be heard, nobody is known to be lost.
      lost: root.shard.consumers.hears ? Math.min(seen.lost, all.lost) : seen.lost,
    };
    const isTooFew = isShort(staged.gates, { all, forgiven: watch.forgiven });
    watch.shortMs = isSame && isTooFew ? watch.shortMs + stepMs : 0;
    const { shortMs, forgiven } = watch;
    const verdict = judgeGates(staged.gates, { ...evidence, shortMs, forgiven });
    if (verdict.kind === 'pass') watch.bakedMs += stepMs;
    else if (all.live === 0) watch.bakedMs = 0;
    watch.verdict = verdict;
    this.#follow(root, node, { watch, verdict, nowMs });
  }

  /** Does what the verdict asks for. */
  #follow(
    root: OwnedRoot,
    node: AddressNode,
    of: { readonly watch: Watch; readonly verdict: Verdict; readonly nowMs: number },
  ): void {
    const { watch, verdict, nowMs } = of;
    const { staged } = node.release;
    const may = (deed: Deed): boolean => nowMs >= watch.notBefore[deed] && !watch.doing.has(deed);
    const expected = { expectedReleaseVersion: node.release.releaseVersion, reason: verdict.why };
    if (verdict.kind === 'fail') {
      const request = { ...expected, action: verdict.then };
      if (may('stop')) this.#act(root, node, { watch, deed: 'stop', request });
      return;
    }
    const frozen = frozenFor(this.context, root.tree, node.address);
    if (frozen !== undefined) {
      if (verdict.kind === 'pass') watch.verdict = { kind: 'wait', why: `frozen: ${frozen}` };
      return;
    }
    if (staged === null || watch.doing.size > 0) return;
    const isPass = verdict.kind === 'pass';
    if (isPass && isBaked(staged, watch) && may('advance')) {
      const request = { ...expected, action: 'advance' };
      this.#act(root, node, { watch, deed: 'advance', request });
    } else if ((isPass || verdict.grows === true) && may('grow')) {
      watch.notBefore.grow = nowMs + GROW_EVERY_MS;
      this.#begin(watch, 'grow', () => this.parts.grow.run(root, node));
    }
  }

  /**
   * What is reported, and how much time is to be counted since the last look: none unless everything that
   * the release reaches is published. `isSame`: just these versions were published then, too.
   */
  #observe(
    root: OwnedRoot,
    node: AddressNode,
    { watch, nowMs }: { readonly watch: Watch; readonly nowMs: number },
  ): { readonly evidence: Evidence; readonly stepMs: number; readonly isSame: boolean } {
    const evidence = noEvidence();
    const { consumers } = root.shard;
    const { sinceMs } = watch;
    let isPublished = true;
    let versions = 0;
    for (const place of [node, ...root.tree.below(node.address)]) {
      if (place.published?.hash !== place.head.hash) isPublished = false;
      versions += place.head.version;
      const release = place.published?.releases.find(({ id }) => id === watch.id);
      if (release !== undefined) gatherEvidence(evidence, place, { release, consumers, sinceMs });
    }
    if (!isPublished) {
      watch.publishedMs = null;
      return { evidence, stepMs: 0, isSame: false };
    }
    const { releaseVersion } = node.release;
    const seenMs = watch.releaseVersion === releaseVersion ? watch.publishedMs : null;
    const isSame = seenMs !== null && watch.versions === versions;
    watch.releaseVersion = releaseVersion;
    watch.versions = versions;
    watch.publishedMs = nowMs;
    return { evidence, stepMs: Math.min(nowMs - (seenMs ?? nowMs), MAX_STEP_MS), isSame };
  }

  #act(
    root: OwnedRoot,
    node: AddressNode,
    act: { readonly watch: Watch; readonly deed: Deed; readonly request: ReleaseRequest },
  ): void {
    const { watch, deed, request } = act;
    this.#begin(watch, deed, async () => {
      const outcome = await this.parts.releases.run(node.address, request, { actor: ACTOR });
      const fields = { address: node.address.text, release: watch.id, ...request };
      if (outcome.ok) this.context.log.info('a release was judged by its candidates', fields);
      else throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
    });
  }

  #begin(watch: Watch, deed: Deed, work: () => Promise<void>): void {
    watch.doing.add(deed);
    const run = work()
      .catch((error: unknown) => {
        watch.notBefore[deed] = this.context.clock.monotonicMs() + RETRY_MS;
        const fields = { release: watch.id, stage: watch.stage, error: String(error) };
        this.context.log.warn('a release could not go on; will be tried again', fields);
      })
      .finally(() => {
        watch.doing.delete(deed);
        this.#running.delete(run);
      });
    this.#running.add(run);
  }

  #watch(root: OwnedRoot, { address }: AddressNode, { id, stage }: StagedRelease): Watch {
    const watches = this.#watches.get(root) ?? new Map<Address['text'], Watch>();
    this.#watches.set(root, watches);
    const known = watches.get(address.text);
    if (known?.id === id && known.stage === stage) return known;
    const isKnown = known?.id === id;
    const watch: Watch = {
      ...{ id, stage, bakedMs: 0, publishedMs: null, versions: 0, shortMs: 0, verdict: null },
      sinceMs: isKnown ? known.sinceMs : this.context.clock.monotonicMs(),
      forgiven: isKnown ? known.forgiven : { rejected: 0, lost: 0 },
      isHeld: false,
      releaseVersion: 0,
      notBefore: { stop: 0, advance: 0, grow: 0 },
      doing: new Set(),
    };
    watches.set(address.text, watch);
    return watch;
  }
}

function bakeMsOf({ stages, stage }: StagedRelease): number {
  return stages[stage]?.bakeMs ?? 0;
}

/** Once its candidates were well for as long as its bake, all published. */
function isBaked(staged: StagedRelease, { bakedMs, publishedMs }: Watch): boolean {
  return publishedMs !== null && bakedMs >= bakeMsOf(staged);
}
