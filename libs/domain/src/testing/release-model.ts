import type { ReleaseRequest } from '@pawl/contracts';
import { workloadsHeld } from '../release/staged-release.js';
import type { ReleaseState } from '../release/release-state.js';

/** A strategy and what it comes to, as far as releases go. */
export interface ModelStrategy {
  readonly strategy: ReleaseRequest['strategy'];
  /** 0: all at once. */
  readonly stages: number;
  /** Whether nobody is a candidate before somebody says so. */
  readonly asksFirst?: true;
  /** The same for those that ask for the same. */
  readonly name: string;
  /** Whether each of its stages waits for an approval. */
  readonly isApproved?: true;
}

export interface ModelAction extends Omit<ReleaseRequest, 'strategy'> {
  readonly plan: ModelStrategy;
}

/** Whose candidates a model knows of; those of all others are held never. */
export const MODEL_WORKLOADS = ['cart', 'checkout', 'search'] as const;

/** `changed`, `same`, or the code of the refusal. */
export type ModelAnswer = string;

/**
 * Releases of one address as the design tells them, with no thought for how they are kept: what those
 * run who are candidates and those who are not is compared before and after each action.
 */
export class ReleaseModel {
  newest = 0;
  version = 0;
  contributionAt = 0;
  loweredAt = 0;
  stable = 0;
  isForced = false;
  isDisabled = false;
  isPaused = false;
  candidate = 0;
  stage = 0;
  plan = '';
  stages = 0;
  needsApproval = false;
  /** The stage that was approved last; -1: none. */
  approved = -1;
  readonly held = new Set<string>();
  stagesOfQueue = 0;
  /** What begins later, in words; its version first. */
  queue: readonly [version: number, plan: string, at: string] | null = null;
  readonly blocked = new Set<number>();

  /** The part of a state that the model speaks of. */
  static of(state: ReleaseState): Record<string, unknown> {
    const { staged } = state;
    return {
      state: state.state,
      version: state.releaseVersion,
      contributionAt: state.contributionAt,
      loweredAt: state.loweredAt ?? 0,
      stable: state.stableVersion ?? 0,
      isForced: state.forced,
      blocked: state.blockedVersions,
      candidate: staged?.candidateVersion ?? 0,
      stage: staged?.stage ?? 0,
      stages: staged?.stages.length ?? 0,
      held: staged === null ? [] : workloadsHeld(staged),
      approved: staged?.approved ?? -1,
      queued: state.queued?.targetVersion ?? 0,
      queuedStages: state.queued?.strategy?.stages.length ?? 0,
      begins: state.queued?.beginAt ?? '',
    };
  }

  get told(): Record<string, unknown> {
    const { version, contributionAt, loweredAt, stable, isForced, candidate } = this;
    const isStaged = candidate !== 0;
    return {
      state: this.isDisabled
        ? 'disabled'
        : !isStaged
          ? 'idle'
          : this.isPaused
            ? 'paused'
            : 'rolling',
      ...{ version, contributionAt, loweredAt, stable, isForced, candidate },
      blocked: [...this.blocked].sort((a, b) => a - b),
      stage: isStaged ? this.stage : 0,
      stages: isStaged ? this.stages : 0,
      held: [...this.held].sort(),
      approved: this.approved,
      queued: this.queue?.[0] ?? 0,
      queuedStages: this.queue === null ? 0 : this.stagesOfQueue,
      begins: this.queue?.[2] ?? '',
    };
  }

  act(action: ModelAction): ModelAnswer {
    if (action.at !== undefined && action.conflict === 'supersede') return 'malformed-request';
    if (action.expectedReleaseVersion !== undefined) {
      if (action.expectedReleaseVersion !== this.version) return 'version-mismatch';
    }
    if (this.newest === 0) return 'not-found';
    const target = action.targetVersion ?? this.newest;
    if (target > this.newest) return 'version-unknown';
    const before = this.runs();
    const { queue: queued, candidate } = this;
    const answer = this.apply(action, target);
    if (answer !== 'changed') return answer;
    this.version += 1;
    const after = this.runs();
    if (after.some((each, at) => each !== before[at])) this.contributionAt = this.version;
    const isBack = after.some((each, at) => each < before[at]!);
    if (isBack) this.loweredAt = this.version;
    if (this.queue === null || this.queue !== queued) return answer;
    const isOver = this.queue[0] <= Math.max(...after) || this.blocked.has(this.queue[0]);
    const goesOn = candidate !== 0 && this.candidate === candidate;
    const givesWay = action.conflict === 'requeue';
    if ((isBack && !goesOn) || isOver || givesWay) this.queue = null;
    return answer;
  }

  /** What those run who are not candidates, and those who are, of each workload. */
  private runs(): readonly number[] {
    if (this.isDisabled) return [0, ...MODEL_WORKLOADS.map(() => 0), 0];
    const candidate = this.candidate === 0 ? this.stable : this.candidate;
    const each = MODEL_WORKLOADS.map((one) => (this.held.has(one) ? this.stable : candidate));
    return [this.stable, ...each, candidate];
  }

  private apply(action: ModelAction, target: number): ModelAnswer {
    switch (action.action) {
      case 'promote':
        return this.isDisabled ? 'invalid-transition' : this.promote(action, target);
      case 'cancel':
        if (this.queue === null) return 'invalid-transition';
        this.queue = null;
        return 'changed';
      case 'rollback':
        return this.rollback(target, action.force === true);
      case 'disable':
        if (this.isDisabled) return 'same';
        if (this.stable === 0) return 'invalid-transition';
        this.isDisabled = true;
        return this.dropCandidate();
      case 'enable':
        if (!this.isDisabled) return 'same';
        this.isDisabled = false;
        return 'changed';
      case 'block':
        if (this.blocked.has(target)) return 'same';
        if (target === this.stable) return 'invalid-transition';
        this.blocked.add(target);
        return target === this.candidate ? this.dropCandidate() : 'changed';
      case 'unblock':
        return this.blocked.delete(target) ? 'changed' : 'same';
      default:
        return this.candidate === 0 ? 'invalid-transition' : this.move(action);
    }
  }

  private promote({ plan, conflict, at }: ModelAction, target: number): ModelAnswer {
    const isBehind = this.candidate !== 0 && ['queue', 'requeue'].includes(conflict ?? '');
    if (at !== undefined || isBehind) {
      const wanted = [target, plan.name, at ?? ''] as const;
      return this.enqueue(wanted, { plan, mayReplace: conflict === 'requeue' });
    }
    return this.begin(plan, target, conflict);
  }

  private enqueue(
    wanted: NonNullable<ReleaseModel['queue']>,
    { plan, mayReplace }: { readonly plan: ModelStrategy; readonly mayReplace: boolean },
  ): ModelAnswer {
    const [target, name] = wanted;
    if (this.queue?.join() === wanted.join()) return 'same';
    if (target < this.stable) return 'use-rollback';
    if (target === this.candidate && name === this.plan) return 'same';
    if (target <= this.candidate) return 'release-in-flight';
    if (target === this.stable) return 'same';
    if (this.blocked.has(target)) return 'version-blocked';
    if (this.queue !== null && !mayReplace) return 'release-queued';
    this.queue = wanted;
    this.stagesOfQueue = plan.stages;
    return 'changed';
  }

  private begin(
    { strategy, stages, name, asksFirst, isApproved }: ModelStrategy,
    target: number,
    conflict: ModelAction['conflict'],
  ): ModelAnswer {
    if (target === this.stable) return 'same';
    if (target < this.stable) return 'use-rollback';
    if (this.blocked.has(target)) return 'version-blocked';
    const isDropped = this.candidate === 0 && this.queue !== null && target >= this.queue[0];
    const isMeant = conflict === 'supersede' || conflict === 'requeue';
    const isNamed = stages === 0 && strategy !== undefined;
    if (isDropped && !isMeant && !isNamed) return 'release-queued';
    if (stages === 0 && strategy === undefined && this.candidate !== 0) return 'release-in-flight';
    if (stages === 0) return this.makeStable(target, false);
    if (this.candidate !== 0) {
      return this.candidate === target && this.plan === name ? 'same' : 'release-in-flight';
    }
    const stage = asksFirst === true ? -1 : 0;
    Object.assign(this, { candidate: target, plan: name, stages, stage, isPaused: false });
    this.needsApproval = isApproved === true;
    return 'changed';
  }

  private rollback(target: number, isForced: boolean): ModelAnswer {
    if (this.stable === 0) return 'invalid-transition';
    if (target === this.stable) return this.candidate === 0 ? 'same' : this.dropCandidate();
    if (target > this.stable) return 'use-promote';
    if (this.blocked.has(target)) return 'version-blocked';
    return this.makeStable(target, isForced);
  }

  private move({ action, workloads = {} }: ModelAction): ModelAnswer {
    if (action === 'abort') return this.dropCandidate();
    if (action === 'hold') {
      const before = this.held.size;
      for (const workload of Object.keys(workloads)) this.held.add(workload);
      return this.held.size === before ? 'same' : 'changed';
    }
    if (action === 'approve') {
      if (!this.needsApproval) return 'invalid-transition';
      if (this.approved === this.stage) return 'same';
      this.approved = this.stage;
      return 'changed';
    }
    if (action === 'pause' || action === 'resume') {
      const isSame = this.isPaused === (action === 'pause');
      if (isSame && (action === 'pause' || this.held.size === 0)) return 'same';
      if (action === 'resume') this.held.clear();
      this.isPaused = action === 'pause';
      return 'changed';
    }
    if (this.isPaused) return 'invalid-transition';
    const isLast = this.stage + 1 === this.stages;
    if (action === 'advance' && isLast) return this.makeStable(this.candidate, false);
    if (isLast) return 'same';
    this.stage = action === 'skip' ? this.stages - 1 : this.stage + 1;
    return 'changed';
  }

  private makeStable(version: number, isForced: boolean): ModelAnswer {
    this.stable = version;
    this.isForced = isForced;
    return this.dropCandidate();
  }

  private dropCandidate(): ModelAnswer {
    this.candidate = 0;
    this.isPaused = false;
    this.held.clear();
    this.approved = -1;
    return 'changed';
  }
}
