import type { AddressText, PreflightProgress, RolloutRelease } from '@pawl/contracts';
import { isInPreflight, progressMsOf, workloadsHeld } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { Reading } from './accepted-kinds.js';
import { OWNER } from './change-release.js';
import type { ChangeRelease } from './change-release.js';
import { eachToReach, notAccepted } from './not-accepted.js';
import type { PreflightPoll } from './preflight-poll.js';
import type { PreflightRound } from './preflight-round.js';
import type { Among, Polled, Preflights } from './preflight.js';
import { acceptedText, rejectedText, unsureText } from './preflight-reasons.js';
import { frozenFor } from './release-policy.js';
import { RunningWork } from './running-work.js';
import { noProgress } from './stage-progress.js';

/** Pauses before those who were silent or could not say are asked again: a process may be restarting. */
const PAUSES_MS = [2_000, 5_000, 10_000, 15_000] as const;
/** Pause before everybody is asked anew, or it is looked who is there, milliseconds. */
const ANEW_MS = 1_000;
/** Pause after something that did not succeed, milliseconds. */
const RETRY_MS = 5_000;
/** What a look counts at most of the time since the one before, milliseconds. */
const MAX_STEP_MS = 2_000;

const NOT_KNOWN = 'it is not known yet who is there';
const AWAY = 'NATS is away: nobody can be asked';

type Policy = NonNullable<StagedRelease['preflight']>;

/** What an owner knows of one preflight, at one release version: what is resumed is asked anew. */
interface Asking {
  readonly releaseVersion: number;
  /** Of all that it has asked. */
  rounds: number;
  /** Of those at the end of which somebody was missing. */
  unsure: number;
  isBusy: boolean;
  /** Who is being asked now. */
  round: PreflightRound | null;
  /** Who was asked last. */
  earlier: PreflightRound | null;
  /** Monotonic time before which nobody is asked. */
  notBeforeMs: number;
  /** What it waits for. */
  why: string | null;
  /** NATS was away in the round under way. */
  wasAway: boolean;
  /** Monotonic time of the last look, and the time of all: not counted in a freeze, and while NATS is away. */
  lookedMs: number;
  spentMs: number;
  /** Why the last try told nothing, though nobody was silent; `null`: it did. */
  stuck: string | null;
  /** Within a stage: who has not accepted it is being asked. */
  isOpen: boolean;
  /** What came of that. */
  said: string | null;
}

/**
 * Carries out the preflights of releases in stages: before the first one asks everybody whom the release would
 * reach, before each other, and before one grows, those of a kind that has not accepted what they would read; those who do
 * not answer again; and goes on, pauses or aborts, as anybody would, under the fencing token and from
 * the release version that it saw. What an owner has heard is lost with it: the next one asks anew.
 */
export class PreflightStage {
  readonly #known = new WeakMap<OwnedRoot, Map<AddressText, Asking>>();
  readonly #work: RunningWork;

  constructor(
    private readonly context: EngineContext,
    private readonly parts: {
      readonly preflights: Preflights;
      readonly releases: ChangeRelease;
      /** Told when nobody is waited for any more within a stage: the release may go on at once. */
      readonly closed: (root: OwnedRoot) => void;
    },
  ) {
    this.#work = new RunningWork(context.clock, RETRY_MS);
  }

  /**
   * What the next stage of a release, or more candidates of this one, wait for: that everybody whom it is
   * still to reach is of a kind that has accepted what they would read, and that it is known who is there.
   * `undefined`: nothing. Asks the others; called again and again.
   */
  waitsFor(root: OwnedRoot, node: AddressNode): string | undefined {
    if (node.release.staged?.preflight === undefined) return undefined;
    const asking = this.#asking(root, node);
    if (!asking.isOpen && notAccepted(root, node.address).instances.size === 0) {
      return root.shard.consumers.hadTimeToHear ? undefined : NOT_KNOWN;
    }
    asking.isOpen = true;
    this.look(root, node);
    return asking.why ?? 'those who have not accepted it yet are asked first';
  }

  /** What came of those who were asked in this stage last; `null`: nobody was. */
  said(root: OwnedRoot, { address }: AddressNode): string | null {
    return this.#known.get(root)?.get(address.text)?.said ?? null;
  }

  /** Looks whether anything is to be done; called again and again. */
  look(root: OwnedRoot, node: AddressNode): void {
    const asking = this.#asking(root, node);
    const nowMs = this.context.clock.monotonicMs();
    if (this.#work.isStopped || node.release.state !== 'rolling') return;
    const frozen = frozenFor(this.context, root.tree, node.address);
    const isAway = !this.context.publisher.healthy();
    if (isAway) asking.wasAway = true;
    else if (frozen === undefined) {
      asking.spentMs += Math.min(nowMs - asking.lookedMs, MAX_STEP_MS);
    }
    asking.lookedMs = nowMs;
    if (asking.isBusy || nowMs < asking.notBeforeMs) return;
    asking.why = frozen === undefined ? (isAway ? AWAY : null) : `frozen: ${frozen}`;
    if (asking.why !== null) return;
    const late = lateFor(node, asking);
    this.#begin(node, asking, () =>
      late === undefined
        ? this.#ask(root, node, asking)
        : this.#act(node, { asking, action: 'pause', reason: late }),
    );
  }

  /** Forgets what was asked of releases that are elsewhere by now, and what was accepted of those that have ended. */
  keepOnly(root: OwnedRoot, staged: readonly AddressNode[]): void {
    root.accepted.keepOnly(new Set(staged.map(({ release }) => release.staged?.id ?? '')));
    const known = this.#known.get(root);
    if (known === undefined || known.size === 0) return;
    const versions = new Map(
      staged.map(({ address, release }) => [address.text, release.releaseVersion]),
    );
    for (const [at, { round, releaseVersion }] of known) {
      if (versions.get(at) === releaseVersion) continue;
      round?.end();
      known.delete(at);
    }
  }

  /** How far it is, and why it does not go on. */
  progress(
    root: OwnedRoot,
    node: AddressNode,
  ): Pick<RolloutRelease, 'reason'> & { readonly preflight: PreflightProgress } {
    const { round, earlier, why } = this.#asking(root, node);
    const { staged } = node.release;
    const reason = node.release.state === 'paused' ? (staged?.pausedFor ?? null) : why;
    const heard = (round ?? earlier)?.poll.counts;
    const state = round === null ? 'waiting' : 'asking';
    return { preflight: { state, ...heard }, ...(reason === null ? {} : { reason }) };
  }

  /** Begins nothing more, and ends when nothing is under way. */
  stop(): Promise<void> {
    return this.#work.stop();
  }

  #begin(node: AddressNode, asking: Asking, work: () => Promise<void>): void {
    Object.assign(asking, { isBusy: true, wasAway: false });
    this.#work.begin(work, {
      failed: (error, notBeforeMs) => {
        tryAgain(asking, notBeforeMs, 'the last try failed, it will be tried again');
        const fields = { address: node.address.text, error: String(error) };
        this.context.log.warn('a preflight could not go on; will be tried again', fields);
      },
      ended: () => Object.assign(asking, { isBusy: false, round: null }),
    });
  }

  async #ask(root: OwnedRoot, node: AddressNode, asking: Asking): Promise<void> {
    const { staged } = node.release;
    const policy = staged?.preflight;
    if (staged === null || policy === undefined) return;
    asking.rounds += 1;
    const { earlier, releaseVersion } = asking;
    const among = isInPreflight(staged) ? null : amongKinds(root, node);
    if (among?.addresses.size === 0) return this.#close(root, asking, null);
    const name = [staged.id, releaseVersion, root.shard.token, asking.rounds].join(' ');
    const outcome = await this.parts.preflights.runStaged(
      {
        id: this.context.sha256(name).slice(0, 16),
        address: node.address,
        request: { targetVersion: staged.candidateVersion, timeoutMs: policy.timeoutMs },
        ...{ earlier, among },
        begun: (round) => void (asking.round = round),
      },
      root,
    );
    if (this.#work.isStopped || node.release.releaseVersion !== releaseVersion) return;
    if (!outcome.ok) return tryAgain(asking, this.#in(ANEW_MS), outcome.problem.detail);
    asking.earlier = outcome.value.round;
    await this.#judge(root, node, { asking, policy, polled: outcome.value });
  }

  async #judge(
    root: OwnedRoot,
    node: AddressNode,
    of: { readonly asking: Asking; readonly policy: Policy; readonly polled: Polled },
  ): Promise<void> {
    const { asking, policy, polled } = of;
    const { view, round } = polled;
    const { asked, accepted, rejected } = view.consumers;
    const { stillHolds } = polled;
    const act = (action: string, reason: string): Promise<void> =>
      this.#act(node, { asking, stillHolds, action, reason });
    if (view.void === true) {
      const why = 'something else that is read with it was released meanwhile: asks anew';
      return tryAgain(asking, this.#in(ANEW_MS), why);
    }
    asking.stuck = null;
    if (rejected > 0) return act(policy.onRejection, rejectedText(view));
    const isFirst = !asking.isOpen;
    const { hadTimeToHear, wasAway } = root.shard.consumers;
    // Whoever is not heard yet is none of those who were asked.
    const isUnknown = isFirst && (asked === 0 ? !hadTimeToHear : wasAway);
    const goOn = async (text: string): Promise<void> => {
      if (isUnknown) return wait(asking, this.#in(ANEW_MS), NOT_KNOWN);
      remember(root, node, round.poll);
      const areAll = (): boolean =>
        stillHolds() && notAccepted(root, node.address).instances.size === 0;
      if (isFirst) {
        return this.#act(node, { asking, stillHolds: areAll, action: 'advance', reason: text });
      }
      this.#close(root, asking, asked === 0 ? null : text);
    };
    if (accepted === asked) return goOn(acceptedText(view));
    if (asking.wasAway || !this.context.publisher.healthy()) {
      return wait(asking, this.#in(ANEW_MS), AWAY);
    }
    const pauseMs = PAUSES_MS[asking.unsure];
    asking.unsure += 1;
    if (pauseMs !== undefined) return wait(asking, this.#in(pauseMs), unsureText(view));
    return policy.onSilence === 'pause' ? act('pause', unsureText(view)) : goOn(unsureText(view));
  }

  async #act(
    { address }: AddressNode,
    of: {
      readonly asking: Asking;
      readonly stillHolds?: () => boolean;
      readonly action: string;
      readonly reason: string;
    },
  ): Promise<void> {
    const { asking, action, reason, ...more } = of;
    const request = { action, reason, expectedReleaseVersion: asking.releaseVersion };
    const context = { actor: OWNER, ...more };
    const outcome = await this.parts.releases.run(address, request, context);
    const fields = { address: address.text, ...request };
    if (outcome.ok) this.context.log.info('a release was judged by its preflight', fields);
    else tryAgain(asking, this.#in(ANEW_MS), outcome.problem.detail);
  }

  /** Nobody is to be asked any more for now; who comes later begins anew. */
  #close(root: OwnedRoot, asking: Asking, said: string | null): void {
    Object.assign(asking, { isOpen: false, said, unsure: 0, earlier: null, why: null });
    this.parts.closed(root);
  }

  #in(ms: number): number {
    return this.context.clock.monotonicMs() + ms;
  }

  #asking(root: OwnedRoot, { address, release }: AddressNode): Asking {
    const known = this.#known.get(root) ?? new Map<AddressText, Asking>();
    this.#known.set(root, known);
    const { releaseVersion } = release;
    const asking = known.get(address.text);
    if (asking?.releaseVersion === releaseVersion) return asking;
    asking?.round?.end();
    const fresh: Asking = {
      ...{ releaseVersion, rounds: 0, unsure: 0, isBusy: false },
      ...{ round: null, earlier: null, notBeforeMs: 0, why: null, isOpen: false, said: null },
      ...{ wasAway: false, lookedMs: this.context.clock.monotonicMs(), spentMs: 0, stuck: null },
    };
    known.set(address.text, fresh);
    return fresh;
  }
}

function wait(asking: Asking, untilMs: number, why: string): void {
  asking.notBeforeMs = untilMs;
  asking.why = why;
}

/** The last try told nothing. */
function tryAgain(asking: Asking, untilMs: number, why: string): void {
  asking.stuck = why;
  wait(asking, untilMs, why);
}

/**
 * Why a release whose first preflight cannot be made is to be paused; `undefined`: it is not, or not yet.
 * Of later ones its stage counts the time.
 */
function lateFor({ release: { staged } }: AddressNode, asking: Asking): string | undefined {
  if (staged === null || !isInPreflight(staged) || asking.stuck === null) return undefined;
  const mostMs = progressMsOf(staged);
  if (asking.spentMs <= mostMs) return undefined;
  return noProgress(mostMs, asking.stuck);
}

/** Those of kinds that have not accepted what they would read. */
function amongKinds(root: OwnedRoot, { address, release: { staged } }: AddressNode): Among {
  const { addresses } = notAccepted(root, address);
  const held = new Set(staged === null ? [] : workloadsHeld(staged));
  const isMeant: Among['isMeant'] = (reading) =>
    !held.has(reading.one.ref.workload) && !root.accepted.has(staged?.id ?? '', reading);
  return { addresses, isMeant };
}

/** Their kinds are not asked again about the same. */
function remember(root: OwnedRoot, node: AddressNode, poll: PreflightPoll): void {
  const { staged } = node.release;
  if (staged === null) return;
  const accepted: Reading[] = [];
  poll.eachAsked((reading) => accepted.push(reading));
  root.accepted.add(staged.id, accepted, (tell) => eachToReach(root, node, tell));
}
