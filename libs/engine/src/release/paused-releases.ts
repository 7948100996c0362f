import type { Outcome, RolloutRelease } from '@pawl/contracts';
import { expireMsOf } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { OWNER } from './change-release.js';
import type { ChangeRelease } from './change-release.js';

/** However long ago it was paused, an owner sees it paused for so long before it aborts. */
const MIN_SEEN_MS = 60_000;
/** Pause after an abort that did not succeed, milliseconds. */
const RETRY_MS = 10_000;

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
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(
    private readonly context: EngineContext,
    private readonly releases: ChangeRelease,
  ) {}

  /** Aborts the release of an address that this node serves, if it was paused too long. */
  lookAt(node: AddressNode): void {
    const sight = this.#sight(node);
    if (sight === undefined || this.#stopped || sight.isAborting) return;
    if (this.context.clock.monotonicMs() < Math.max(sight.endMs, sight.notBeforeMs)) return;
    this.#abort(node, sight);
  }

  /** When a release that is paused will be aborted; nothing of another. */
  expiry(node: AddressNode): Pick<RolloutRelease, 'expiresAt'> {
    const sight = this.#sight(node);
    return sight === undefined ? {} : { expiresAt: sight.expiresAt };
  }

  /** Aborts nothing more, and ends when nothing that it began is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
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

  #abort({ address, release }: AddressNode, sight: Sight): void {
    const request = {
      action: 'abort',
      expectedReleaseVersion: release.releaseVersion,
      reason: sight.why,
    };
    sight.isAborting = true;
    const fields = { address: address.text, release: sight.id };
    const failed = (error: string): void => {
      sight.notBeforeMs = this.context.clock.monotonicMs() + RETRY_MS;
      const told = { ...fields, error };
      this.context.log.warn('a release that was paused too long could not be aborted yet', told);
    };
    const run = this.releases
      .run(address, request, { actor: OWNER })
      .then((outcome: Outcome<unknown>) => {
        if (outcome.ok) this.context.log.info('a release was paused too long, and aborted', fields);
        else if (outcome.problem.code !== 'version-mismatch') failed(outcome.problem.detail);
      })
      .catch((error: unknown) => failed(String(error)))
      .finally(() => {
        sight.isAborting = false;
        this.#running.delete(run);
      });
    this.#running.add(run);
  }
}
