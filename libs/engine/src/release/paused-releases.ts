import type { RolloutRelease } from '@pawl/contracts';
import { expireMsOf } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { ChangeRelease } from './change-release.js';
import { RunningWork } from './running-work.js';

/** However long ago it was paused, an owner sees it paused for so long before it aborts. */
const MIN_SEEN_MS = 60_000;

/** What this owner knows of one pause of one release. */
interface Sight {
  readonly id: string;
  readonly pausedAt: string | undefined;
  /** Monotonic time of the end. */
  readonly endMs: number;
  /** The same by the wall clock as it was at first sight. */
  readonly expiresAt: string;
  readonly why: string;
  /** Monotonic time before which there is no other attempt. */
  notBeforeMs: number;
  isAborting: boolean;
}

/**
 * Aborts releases that have been paused for longer than they may. How long that was when this owner first
 * saw it the wall clock says, and from then on the monotonic one: a clock that is set changes nothing any
 * more. It aborts under the fencing token and from the release version that it saw, so one that somebody
 * resumed meanwhile goes on.
 */
export class PausedReleases {
  readonly #sights = new WeakMap<AddressNode, Sight>();
  readonly #work: RunningWork;

  constructor(
    private readonly context: EngineContext,
    private readonly releases: ChangeRelease,
  ) {
    this.#work = new RunningWork(context.clock);
  }

  /** Aborts the release of an address that this node serves, if it was paused too long. */
  lookAt(node: AddressNode): void {
    const sight = this.#sight(node);
    if (sight === undefined || this.#work.isStopped || sight.isAborting) return;
    if (this.context.clock.monotonicMs() < Math.max(sight.endMs, sight.notBeforeMs)) return;
    this.#abort(node, sight);
  }

  /** When a release that is paused will be aborted; nothing of another. */
  expiry(node: AddressNode): Pick<RolloutRelease, 'expiresAt'> {
    const sight = this.#sight(node);
    return sight === undefined ? {} : { expiresAt: sight.expiresAt };
  }

  /** Aborts nothing more, and ends when nothing that it began is under way. */
  stop(): Promise<void> {
    return this.#work.stop();
  }

  #sight(node: AddressNode): Sight | undefined {
    const { staged, state } = node.release;
    if (staged === null || state !== 'paused') return undefined;
    const known = this.#sights.get(node);
    if (known?.id === staged.id && known.pausedAt === staged.pausedAt) return known;
    const sight = this.#firstSight(staged);
    this.#sights.set(node, sight);
    return sight;
  }

  #firstSight(staged: StagedRelease): Sight {
    const { clock, formatTime, parseTime } = this.context;
    const { id, pausedAt } = staged;
    const wallMs = clock.wallMs();
    const expireMs = expireMsOf(staged);
    const beforeMs = pausedAt === undefined ? 0 : Math.max(0, wallMs - parseTime(pausedAt));
    const leftMs = Math.max(expireMs - beforeMs, Math.min(expireMs, MIN_SEEN_MS));
    const since = pausedAt ?? `${formatTime(wallMs)} at the latest`;
    return {
      ...{ id, pausedAt, endMs: clock.monotonicMs() + leftMs },
      expiresAt: formatTime(wallMs + leftMs),
      why:
        `paused since ${since}, and it may be for ${expireMs / 1_000} s: ` +
        'resume in time, or give the strategy a longer expireMs',
      ...{ notBeforeMs: 0, isAborting: false },
    };
  }

  #abort(node: AddressNode, sight: Sight): void {
    const { address, release } = node;
    sight.isAborting = true;
    const fields = { address: address.text, release: sight.id };
    const abort = async (): Promise<void> => {
      const outcome = await this.releases.expire({ address, release }, sight.why);
      if (outcome.ok) this.context.log.info('a release was paused too long, and aborted', fields);
      else if (outcome.problem.code !== 'version-mismatch') throw new Error(outcome.problem.detail);
    };
    this.#work.begin(abort, {
      failed: (error, notBeforeMs) => {
        sight.notBeforeMs = notBeforeMs;
        const told = { ...fields, error: String(error) };
        this.context.log.warn('a release that was paused too long could not be aborted yet', told);
      },
      ended: () => void (sight.isAborting = false),
    });
  }
}
