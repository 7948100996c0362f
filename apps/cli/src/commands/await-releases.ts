import type { AdminClient } from '@pawl/admin-client';
import type { HistoryItem, ReleaseView, RolloutRelease, RolloutView } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { durationText } from './duration.js';
import { EXCEPTION } from './freeze-text.js';
import { nextSteps } from './next-steps.js';
import { queuedText } from './queued-text.js';
import { placeText } from './staged-text.js';

/** Asks the control plane, again while it is away. */
export type Ask = <T>(call: (client: AdminClient) => Promise<T>) => Promise<T>;

interface Seen {
  readonly address: string;
  /** The definition version that is to reach everybody. */
  readonly candidate: number;
}

/** What ends a release in stages before it has reached everybody. */
const ENDINGS: Readonly<Record<string, string>> = {
  abort: 'it was aborted',
  rollback: 'it was rolled back',
  disable: 'the layer was disabled',
  block: 'the version was blocked',
  cancel: 'it was dropped from the queue',
  promote: 'another version was promoted',
};
/** What asks for a version. */
const BEGINNINGS: ReadonlySet<string> = new Set(['promote', 'queue', 'schedule']);
/** As many as the longest release has stages, and what people do meanwhile. */
const HISTORY_ITEMS = 100;

/**
 * The releases in stages that a wait at one address has come across, until each of them has ended. A
 * release that stopped ends the wait: every call may throw a CliError with exit code 4 and the reason.
 */
export class AwaitedReleases {
  /** By id; those under way. */
  readonly #seen = new Map<string, Seen>();

  constructor(
    private readonly context: CliContext,
    private readonly ask: Ask,
    /** Share of the candidates that must not reject. */
    private readonly share: number,
  ) {}

  /** For a version that must reach everybody: released already, under way, or queued, which people are told. */
  async expect(address: string, candidate: number): Promise<void> {
    const release = await this.ask((client) => client.getRelease(address));
    const { staged, queued } = release;
    if (release.candidate === candidate && staged !== undefined) {
      this.#seen.set(staged.id, { address, candidate });
    } else if (queued?.targetVersion === candidate) {
      // It goes on under the same id once it begins.
      this.#seen.set(queued.id, { address, candidate });
      const { terminal } = this.context;
      if (this.context.format() === 'table') terminal.err(`note: ${queuedText(queued)}\n`);
    } else {
      await this.#refuseUnlessThere(address, candidate);
      await this.#refuseUnlessStable({ address, candidate }, release, 'not released');
    }
  }

  /** `ended`: the last one has, since the view before, and everybody is to run what it released. */
  async judge({ releases = [], rejections }: RolloutView): Promise<'none' | 'under way' | 'ended'> {
    for (const release of releases) {
      const { id, address, candidate = 0 } = release;
      this.#seen.set(id, { address, candidate });
      this.#refuseStopped(release, rejections);
    }
    if (this.#seen.size === 0) return 'none';
    for (const [id, seen] of this.#seen) {
      const isShown = releases.some((release) => release.id === id);
      if (!isShown && (await this.#hasEnded(id, seen))) this.#seen.delete(id);
    }
    return this.#seen.size === 0 ? 'ended' : 'under way';
  }

  #refuseStopped(release: RolloutRelease, rejections: RolloutView['rejections']): void {
    const { state, candidates, reason, address, candidate } = release;
    const what = `version ${candidate ?? '?'} of ${address}`;
    if (state === 'paused') {
      const why = reason === undefined ? '' : `: ${reason}`;
      throw this.#stopped(
        [`the release of ${what} is paused at ${placeText(release)}${why}`],
        release,
      );
    }
    const { live, rejected } = candidates;
    if (live - rejected >= live * this.share) return;
    const reasons = rejections.map(({ reason: each, count }) => `${count} × ${each}`).join('; ');
    throw new CliError(
      `${rejected} of ${live} candidates rejected ${what} at ${placeText(release)}: ${reasons}`,
      EXIT.rejected,
    );
  }

  #stopped(said: readonly string[], under: { readonly address: string; readonly state: string }) {
    const steps = this.context.format() === 'table' ? nextSteps(this.context, under) : [];
    return new CliError([...said, ...steps].join('\n'), EXIT.rejected);
  }

  async #hasEnded(id: string, seen: Seen): Promise<boolean> {
    const release = await this.ask((client) => client.getRelease(seen.address));
    const { staged, state, queued } = release;
    if (queued?.id === id) return false;
    if (staged?.id !== id) {
      await this.#refuseUnlessStable(seen, release);
      return true;
    }
    if (state !== 'paused') return false;
    const why = staged.reason === undefined ? '' : `: ${staged.reason}`;
    const what = `the release of version ${seen.candidate} of ${seen.address}`;
    throw this.#stopped([`${what} is paused at ${placeText(staged)}${why}`], release);
  }

  async #refuseUnlessThere(address: string, candidate: number): Promise<void> {
    const { version } = await this.ask((client) => client.getConfig(address));
    if (candidate <= version) return;
    const detail = `there is no version ${candidate} of ${address}, the newest is ${version}`;
    throw new CliError(`${detail}: write it first`, EXIT.rejected);
  }

  /** `otherwise`: what is said of a version of which the history does not tell that it was asked for. */
  async #refuseUnlessStable(
    { address, candidate }: Seen,
    release: ReleaseView,
    otherwise?: 'not released',
  ): Promise<void> {
    const { state, stableVersion } = release;
    if (state !== 'disabled' && stableVersion !== null && stableVersion >= candidate) return;
    const page = await this.ask((client) => client.history(address, { limit: HISTORY_ITEMS }));
    const promoted = page.items.findIndex((item) => asksFor(item, candidate));
    if (promoted < 0 && otherwise !== undefined) throw this.#unreleased(candidate, release);
    const why = endingText(page.items.slice(0, Math.max(promoted, 0)), candidate);
    const what = `version ${candidate} of ${address} did not reach everybody`;
    throw new CliError(`${what}${why}`, EXIT.rejected);
  }

  #unreleased(candidate: number, release: ReleaseView): CliError {
    const { address, state, stableVersion, frozen } = release;
    const isDisabled = state === 'disabled';
    const stable = stableVersion === null ? 'nothing' : `version ${stableVersion}`;
    const runs = isDisabled ? 'the layer is disabled' : `${stable} runs`;
    const what = `version ${candidate} of ${address} is not released, ${runs}`;
    if (this.context.format() !== 'table') return new CliError(what, EXIT.rejected);
    const forward = frozen === undefined ? '' : ` ${EXCEPTION}`;
    const step = isDisabled
      ? `put it back: ${this.context.command(`enable ${address}${forward}`)}`
      : `promote it: ${this.context.command(`promote ${address} --to ${candidate}${forward}`)}`;
    return new CliError(`${what}\n${step}`, EXIT.rejected);
  }
}

function asksFor({ action = '', version }: HistoryItem, candidate: number): boolean {
  return BEGINNINGS.has(action) && version === candidate;
}

/** What came first of what was done after the version was last promoted; empty where nothing did. */
function endingText(after: readonly HistoryItem[], candidate: number): string {
  const ending = after.findLast(
    ({ action = '', version }) =>
      Object.hasOwn(ENDINGS, action) && (action !== 'cancel' || version === candidate),
  );
  if (ending === undefined) return '';
  const { author, reason, ended } = ending;
  // Of a release whose place another takes the line is of its own, before that of the promote.
  const action = ended?.outcome === 'superseded' ? 'promote' : (ending.action ?? '');
  return `: ${ENDINGS[action]} by ${author}${reason === undefined ? '' : `: ${reason}`}`;
}

/** How far the releases under way have come, for a wait that ends before them. */
export function underWayTexts({ releases = [] }: RolloutView): string[] {
  return releases.map((release) => {
    const { address, candidate, bakeLeftMs, reason } = release;
    const left = bakeLeftMs === undefined ? '' : `, ${durationText(bakeLeftMs)} of its bake left`;
    const why = reason === undefined ? '' : `, ${reason}`;
    return `version ${candidate ?? '?'} of ${address} is at ${placeText(release)}${left}${why}`;
  });
}
