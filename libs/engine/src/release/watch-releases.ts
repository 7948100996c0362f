import type { ExternalGate, ReleaseRequest, RolloutRelease } from '@pawl/contracts';
import { bakeMsOf, isInPreflight, isLastStage, workloadsHeld } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import type { TimerHandle } from '@pawl/kernel';
import type { CommandContext } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import { toldRelease } from '../sharding/told-release.js';
import { approvalOf, isApproved } from './approval.js';
import { ProbeAsker } from './ask-probes.js';
import { OWNER } from './change-release.js';
import type { ChangeRelease } from './change-release.js';
import { loopMsOf } from './crash-loop.js';
import { gatherEvidence, noEvidence } from './gather-evidence.js';
import { gateResults, intervalOf } from './gate-memory.js';
import type { GateStanding } from './gate-memory.js';
import type { GrowReleases } from './grow-releases.js';
import { isShort, judgeGate, shortWorkloads } from './judge-gates.js';
import type { ReportedGate, StageEvidence } from './judge-gates.js';
import { notAccepted } from './not-accepted.js';
import type { NoteDryRun } from './note-dry-run.js';
import { aboutRelease, reachOf, stageHealth } from './observe-stage.js';
import type { Observed } from './observe-stage.js';
import type { PreflightStage } from './preflight-stage.js';
import { frozenFor, frozenView } from './release-policy.js';
import { RunningWork } from './running-work.js';
import { forgiveSeen, watchOf } from './stage-watch.js';
import type { Deed, Watch, Watches } from './stage-watch.js';
import { failureOf, weighGates, workloadsOf } from './weigh-gates.js';
import type { Failure, Verdict, Workloads } from './weigh-gates.js';

/** A look counts as much of a bake at most, so that a process that was suspended skips none of it. */
const MAX_STEP_MS = 2_000;
/** Pause between two fillings up of the same release, milliseconds. */
const GROW_EVERY_MS = 5_000;

/** How long rejections are gathered before they are looked at, milliseconds. */
const GATHER_MS = 50;

type Progress = Pick<RolloutRelease, 'bakeLeftMs' | 'reason' | 'gates' | 'preflight' | 'asking'>;

/**
 * Advances, pauses and aborts the releases in stages of the shards that this node serves, by what their
 * candidates report. What it does it does as anybody would, under the fencing token and from the
 * release version that it saw, so two owners cannot both do it. Time is the owner's own monotonic clock:
 * who takes a shard over begins the bake of the stage anew.
 */
export class WatchReleases {
  readonly #watches = new WeakMap<OwnedRoot, Watches>();
  readonly #work: RunningWork;
  /** Roots that are looked at shortly. */
  readonly #soon = new Map<OwnedRoot, TimerHandle>();
  readonly #asker: ProbeAsker;

  constructor(
    private readonly context: EngineContext,
    private readonly parts: {
      readonly shards: ShardRegistry;
      readonly releases: ChangeRelease;
      readonly grow: GrowReleases;
      readonly notes: NoteDryRun;
      readonly preflight: PreflightStage;
    },
  ) {
    this.#asker = new ProbeAsker(context);
    this.#work = new RunningWork(context.clock);
  }

  /** Looks at every release under way; called once a second. */
  look(): void {
    const isConnected = this.context.publisher.healthy();
    for (const shard of this.parts.shards.served()) {
      shard.consumers.listens(isConnected);
      if (shard.behind !== null) continue;
      for (const root of shard.roots.values()) this.lookAt(root);
    }
  }

  /** Looks at the releases of one root. */
  lookAt(root: OwnedRoot): void {
    if (root.uncertain) return;
    const staged = root.tree.staged();
    this.#forgetEnded(root, staged);
    this.parts.preflight.keepOnly(root, staged);
    for (const node of staged) {
      try {
        this.#look(root, node);
      } catch (error) {
        const fields = { address: node.address.text, error: String(error) };
        this.context.log.error('a release could not be looked at', fields);
      }
    }
  }

  /** Looks at the releases of a root shortly: a consumer has rejected something, or a gate was answered. */
  soon(root: OwnedRoot): void {
    if (this.#work.isStopped || this.#soon.has(root)) return;
    const look = (): void => {
      this.#soon.delete(root);
      if (root.shard.serving && root.shard.behind === null) this.lookAt(root);
    };
    this.#soon.set(root, this.context.timer.after(GATHER_MS, look));
  }

  /** Begins nothing more, and ends when nothing that it began is under way. */
  async stop(): Promise<void> {
    const stopped = this.#work.stop();
    this.#asker.stop();
    for (const timer of this.#soon.values()) timer.cancel();
    this.#soon.clear();
    await Promise.all([stopped, this.parts.preflight.stop()]);
  }

  /** What is left of the bake, why the release does not go on, and how its gates judged it last. */
  progress(root: OwnedRoot, node: AddressNode): Progress & Pick<RolloutRelease, 'frozen'> {
    const frozen = frozenView(this.context, root.tree, node.address);
    return { ...this.#progress(root, node), ...frozen };
  }

  /** Since when this owner knows the release under way at an address, monotonic milliseconds. */
  knownSinceMs(root: OwnedRoot, node: AddressNode): number {
    const { staged } = node.release;
    return staged === null ? Infinity : this.#watch(root, node, staged).sinceMs;
  }

  #progress(root: OwnedRoot, node: AddressNode): Progress {
    const { staged, state } = node.release;
    if (staged === null) return {};
    if (isInPreflight(staged)) return this.parts.preflight.progress(root, node);
    const watch = this.#watch(root, node, staged);
    const judged = gateResults(watch.gates.standings);
    const gates = judged.length === 0 ? {} : { gates: judged };
    if (state === 'paused') {
      return staged.pausedFor === null ? gates : { ...gates, reason: staged.pausedFor };
    }
    const bakeLeftMs = Math.max(0, Math.ceil(bakeMsOf(staged) - watch.bakedMs));
    const told = { bakeLeftMs, ...gates };
    const { verdict } = watch;
    const why = verdict?.kind === 'pass' ? verdict.but : verdict?.why;
    if (verdict?.kind === 'wait' && verdict.asks === true) {
      const { preflight: asking, ...now } = this.parts.preflight.progress(root, node);
      return { ...told, asking, reason: verdict.why, ...now };
    }
    if (why !== undefined) return { ...told, reason: why };
    if (watch.publishedMs === null) return { ...told, reason: 'it is being published' };
    return told;
  }

  #look(root: OwnedRoot, node: AddressNode): void {
    const { staged, state } = node.release;
    if (staged === null) return;
    if (isInPreflight(staged)) return this.parts.preflight.look(root, node);
    const watch = this.#watch(root, node, staged);
    const nowMs = this.context.clock.monotonicMs();
    if (state !== 'rolling') {
      watch.publishedMs = null;
      watch.isHeld = true;
      watch.gates.end();
      return;
    }
    const held = workloadsHeld(staged);
    this.#beginAnew(watch, held, nowMs);
    const observed = this.#observe(root, node, { watch, nowMs });
    const { evidence, stepMs, isSame } = observed;
    const { all } = evidence;
    watch.forgiven = forgiveSeen(watch, evidence, root.shard.consumers.hears);
    watch.isHeld = false;
    watch.held = held;
    const isTooFew = isShort(staged.gates, { all, forgiven: watch.forgiven });
    watch.shortMs = isSame && isTooFew ? watch.shortMs + stepMs : 0;
    watch.shortByWorkload = shortWorkloads(staged.gates, { ...watch, ...evidence, stepMs, isSame });
    watch.gates.watched(stepMs);
    watch.gates.baked(
      isBaked(staged, { publishedMs: watch.publishedMs, bakedMs: watch.bakedMs + stepMs }),
    );
    const health = stageHealth(root, staged, { watch, nowMs, places: observed.places });
    const { shortMs, shortByWorkload, forgiven, stageSinceMs } = watch;
    const known = { ...evidence, shortMs, shortByWorkload, forgiven, stageSinceMs, health };
    this.#judge(root, node, { watch, nowMs, known });
    const place = { held, isLast: isLastStage(staged), needsApproval: !isApproved(staged) };
    const verdict = weighGates(watch.gates, known, place);
    if (verdict.kind === 'pass') watch.bakedMs += stepMs;
    else if (all.live === 0) watch.bakedMs = 0;
    watch.verdict = verdict;
    this.#note(node, watch, workloadsOf(evidence, held));
    watch.progress.applied(all.applied);
    this.#follow(root, node, { watch, verdict, nowMs, stepMs });
  }

  /** Whoever resumes a release has seen what its gates say; a workload that is held has gone back. */
  #beginAnew(watch: Watch, held: readonly string[], nowMs: number): void {
    const isResumed = watch.isHeld || watch.held.some((workload) => !held.includes(workload));
    if (isResumed) {
      watch.requestsSinceMs = nowMs;
      watch.gates.reset();
      watch.progress.reset();
    } else if (held.length !== watch.held.length) watch.gates.without(held);
  }

  /** Judges by every gate whose time has come. */
  #judge(
    root: OwnedRoot,
    node: AddressNode,
    of: { readonly watch: Watch; readonly nowMs: number; readonly known: StageEvidence },
  ): void {
    const { watch, nowMs, known } = of;
    const { gates } = watch;
    if (!gates.standings.some((standing) => gates.isDue(standing, nowMs))) return;
    const at = { wall: this.context.formatTime(this.context.clock.wallMs()), monotonicMs: nowMs };
    for (const standing of gates.standings) {
      const { gate } = standing;
      if (!gates.isDue(standing, nowMs)) continue;
      if (gate.kind === 'approval') {
        gates.judged(standing, [approvalOf(node.release.staged)], at);
      } else if (gate.kind === 'prometheus' || gate.kind === 'webhook') {
        this.#ask(root, node, { watch, standing, known });
      } else {
        gates.judged(standing, judgeGate(gate as ReportedGate, known), at);
      }
    }
  }

  /** Asks a gate that somebody else answers, unless it is being asked. */
  #ask(
    root: OwnedRoot,
    node: AddressNode,
    of: {
      readonly watch: Watch;
      readonly standing: GateStanding;
      readonly known: StageEvidence;
    },
  ): void {
    const { watch, standing, known } = of;
    const { clock } = this.context;
    if (standing.asking !== null || this.#work.isStopped) return;
    const gate = standing.gate as ExternalGate;
    standing.asking = this.#asker.ask(gate, aboutRelease(node, known), (finding) => {
      standing.asking = null;
      const wall = this.context.formatTime(clock.wallMs());
      watch.gates.judged(standing, [finding], { wall, monotonicMs: clock.monotonicMs() });
      this.soon(root);
    });
    standing.nextMs = clock.monotonicMs() + (standing.asking === null ? 0 : intervalOf(gate));
  }

  /** Tells the history what gates that stop nothing would have done, once per stage. */
  #note(node: AddressNode, watch: Watch, workloads: Workloads): void {
    const failed = watch.gates.standings.flatMap((standing) => {
      if (standing.gate.dryRun !== true || standing.isNoted) return [];
      const failure = failureOf(standing, workloads);
      return failure === undefined ? [] : [{ standing, failure }];
    });
    if (failed.length === 0 || watch.doing.has('note')) return;
    if (this.context.clock.monotonicMs() < watch.notBefore.note) return;
    const told = failed.map(({ standing: { gate }, failure: { then, why } }) => {
      return `${gate.kind} would have made it ${then}: ${why}`;
    });
    const note = { releaseId: watch.id, stage: watch.stage, reason: told.join('; ') };
    this.#begin(watch, 'note', async () => {
      await this.parts.notes.run(node.address, note);
      for (const { standing } of failed) standing.isNoted = true;
    });
  }

  /** Does what the verdict asks for. */
  #follow(
    root: OwnedRoot,
    node: AddressNode,
    of: {
      readonly watch: Watch;
      readonly verdict: Verdict;
      readonly nowMs: number;
      readonly stepMs: number;
    },
  ): void {
    const { watch, nowMs, stepMs, verdict: judged } = of;
    const { staged } = node.release;
    const may = (deed: Deed): boolean => nowMs >= watch.notBefore[deed] && !watch.doing.has(deed);
    const seen = { expectedReleaseVersion: node.release.releaseVersion };
    if (judged.kind === 'fail') {
      const { then, why: reason } = judged;
      const request =
        then === 'hold'
          ? { ...seen, action: then, workloads: judged.workloads }
          : { ...seen, action: then, reason };
      if (may('stop')) this.#act(root, node, { watch, deed: 'stop', request });
      return;
    }
    const frozen = frozenFor(this.context, root.tree, node.address);
    if (frozen !== undefined) {
      const also = judged.kind === 'pass' ? '' : `; ${judged.why}`;
      watch.verdict = { kind: 'wait', why: `frozen: ${frozen}${also}` };
      return;
    }
    if (staged === null) return;
    const { bakedMs } = watch;
    const isOver = judged.kind === 'pass' && judged.but === undefined && isBaked(staged, watch);
    const asks = isOver && watch.doing.size === 0;
    const verdict = asks ? this.#afterVotes(root, node, judged) : judged;
    watch.verdict = verdict;
    // While NATS is away nobody can be heard.
    const aliveMs = this.context.publisher.healthy() ? stepMs : 0;
    const late = watch.progress.late(staged, { verdict, bakedMs, stepMs: aliveMs });
    if (late !== undefined) {
      const request = { ...seen, action: 'pause', reason: late };
      if (may('stop')) this.#act(root, node, { watch, deed: 'stop', request });
      return;
    }
    if (watch.doing.size > 0) return;
    const isPass = verdict.kind === 'pass';
    if (isPass && isOver && may('advance')) {
      const request = { ...seen, reason: verdict.why, action: 'advance' };
      const stillHolds = (): boolean => notAccepted(root, node.address).instances.size === 0;
      this.#act(root, node, { watch, deed: 'advance', request, stillHolds });
    } else if ((isPass || verdict.grows === true) && may('grow')) {
      this.#grow(root, node, { watch, nowMs });
    }
  }

  /** Gives those who lack it their share, once everybody whom the release is still to reach has accepted it. */
  #grow(
    root: OwnedRoot,
    node: AddressNode,
    { watch, nowMs }: { readonly watch: Watch; readonly nowMs: number },
  ): void {
    const isLacking = this.parts.grow.isLacking(root, node);
    const why = isLacking ? this.parts.preflight.waitsFor(root, node) : undefined;
    if (why !== undefined) {
      watch.verdict = { kind: 'wait', why, asks: true };
      return;
    }
    watch.notBefore.grow = nowMs + GROW_EVERY_MS;
    if (isLacking) this.#begin(watch, 'grow', () => this.parts.grow.run(node));
  }

  /** A stage that is over waits until everybody who comes next has accepted it. */
  #afterVotes(
    root: OwnedRoot,
    node: AddressNode,
    verdict: Exclude<Verdict, Failure>,
  ): Exclude<Verdict, Failure> {
    const why = this.parts.preflight.waitsFor(root, node);
    if (why !== undefined) return { kind: 'wait', why, asks: true };
    const said = this.parts.preflight.said(root, node);
    return said === null ? verdict : { ...verdict, why: `${verdict.why}; ${said}` };
  }

  /**
   * What is reported, and how much time is to be counted since the last look: none unless everything that
   * the release reaches is published. `isSame`: it had reached just this then, too.
   */
  #observe(
    root: OwnedRoot,
    node: AddressNode,
    { watch, nowMs }: { readonly watch: Watch; readonly nowMs: number },
  ): Observed {
    const evidence = noEvidence();
    const { consumers } = root.shard;
    const { sinceMs, stageSinceMs, requestsSinceMs: endsSinceMs, excused } = watch;
    const loopMs = loopMsOf(node.release.staged?.gates ?? []);
    const since = { sinceMs, stageSinceMs, endsSinceMs, loopMs, excused };
    const places: AddressNode['address']['text'][] = [];
    let isPublished = true;
    let reach = 0;
    for (const place of [node, ...root.tree.reachedBelow(node.address)]) {
      if (place.published?.hash !== place.head.hash) isPublished = false;
      const release = toldRelease(place, watch.id);
      if (release === undefined) continue;
      places.push(place.address.text);
      reach += reachOf(release);
      gatherEvidence(evidence, place, { release, consumers, ...since });
    }
    if (!isPublished) {
      watch.publishedMs = null;
      return { evidence, places, stepMs: 0, isSame: false };
    }
    const { releaseVersion } = node.release;
    const seenMs = watch.releaseVersion === releaseVersion ? watch.publishedMs : null;
    const isSame = seenMs !== null && watch.reach === reach;
    watch.releaseVersion = releaseVersion;
    watch.reach = reach;
    watch.publishedMs = nowMs;
    const stepMs = Math.min(nowMs - (seenMs ?? nowMs), MAX_STEP_MS);
    return { evidence, places, stepMs, isSame };
  }

  #act(
    root: OwnedRoot,
    node: AddressNode,
    act: Pick<CommandContext, 'stillHolds'> & {
      readonly watch: Watch;
      readonly deed: Deed;
      readonly request: ReleaseRequest;
    },
  ): void {
    const { watch, deed, request, ...more } = act;
    this.#begin(watch, deed, async () => {
      const context = { actor: OWNER, ...more };
      const outcome = await this.parts.releases.run(node.address, request, context);
      const fields = { address: node.address.text, release: watch.id, ...request };
      if (outcome.ok) this.context.log.info('a release was judged by its candidates', fields);
      // Somebody was faster: the next look sees what is so now.
      else if (outcome.problem.code !== 'version-mismatch')
        throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
    });
  }

  #begin(watch: Watch, deed: Deed, work: () => Promise<void>): void {
    watch.doing.add(deed);
    this.#work.begin(work, {
      failed: (error, notBeforeMs) => {
        watch.notBefore[deed] = notBeforeMs;
        const fields = { release: watch.id, stage: watch.stage, error: String(error) };
        this.context.log.warn('a release could not go on; will be tried again', fields);
      },
      ended: () => void watch.doing.delete(deed),
    });
  }

  #watch(root: OwnedRoot, { address }: AddressNode, staged: StagedRelease): Watch {
    const watches = this.#watches.get(root) ?? (new Map() as Watches);
    this.#watches.set(root, watches);
    return watchOf(watches, address.text, { staged, nowMs: this.context.clock.monotonicMs() });
  }

  #forgetEnded(root: OwnedRoot, staged: readonly AddressNode[]): void {
    const watches = this.#watches.get(root);
    if (watches === undefined || watches.size === 0) return;
    const under = new Set(staged.map(({ address }) => address.text));
    for (const [at, watch] of watches) {
      if (under.has(at)) continue;
      watch.gates.end();
      watches.delete(at);
    }
  }
}

/** Once its candidates were well for as long as its bake, all published. */
function isBaked(
  staged: StagedRelease,
  { bakedMs, publishedMs }: Pick<Watch, 'bakedMs' | 'publishedMs'>,
): boolean {
  return publishedMs !== null && bakedMs >= bakeMsOf(staged);
}
