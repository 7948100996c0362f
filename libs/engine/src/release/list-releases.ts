import { done, parseAddress, refused } from '@pawl/contracts';
import type {
  Address,
  Outcome,
  Page,
  PresentState,
  ReleaseItem,
  StagedState,
} from '@pawl/contracts';
import type { StagedRelease } from '@pawl/domain';
import { assert } from '@pawl/kernel';
import type { PageQuery } from '../config-engine.js';
import { badCursor } from '../config/read-definitions.js';
import { begunView, queuedView, stageView } from './release-view.js';
import { answered } from '../sharding/answered.js';
import type { StagedAddress, TruthStore } from '../sharding/truth-store.port.js';
import { strategyName } from './queued-promotes.js';

const CURSOR = /^[a-z0-9/:_-]{1,600}$/;
/** Releases that are read at once where one is looked for. */
const PORTION = 1_000;

/** The releases in stages under way and what is queued, whoever owns them: read from the truth itself, on any node. */
export async function listReleases(
  truth: TruthStore,
  { limit, cursor, state }: PageQuery & { readonly state?: PresentState },
): Promise<Outcome<Page<ReleaseItem>>> {
  if (cursor !== undefined && !CURSOR.test(cursor)) return badCursor();
  return answered(async () => {
    const found = await truth.readReleases({
      limit: limit + 1,
      ...(cursor === undefined ? {} : { after: cursor }),
      ...(state === undefined ? {} : { state }),
    });
    const items = found.slice(0, limit).map(releaseItem);
    const last = items.at(-1);
    return done(found.length > limit && last ? { items, next: last.address } : { items });
  });
}

/** The address that is released by the release of this id; the same way. */
export async function findRelease(truth: TruthStore, id: string): Promise<Outcome<Address>> {
  return answered(async () => {
    let after = '';
    for (;;) {
      const found = await truth.readReleases({ limit: PORTION, after });
      const wanted = found.find(({ staged }) => staged?.id === id);
      if (wanted !== undefined) {
        const parsed = parseAddress(wanted.address);
        assert(parsed.ok, 'a stored address is well formed');
        return done(parsed.address);
      }
      if (found.length < PORTION) return noSuchRelease(id);
      after = found.at(-1)?.address ?? '';
    }
  });
}

/** A release in stages under way, as the truth keeps it. */
export interface UnderWay extends Pick<
  StagedAddress,
  'address' | 'releaseVersion' | 'stableVersion'
> {
  readonly state: StagedState;
  readonly staged: StagedRelease;
}

export function stagedItem(
  of: UnderWay,
): Omit<ReleaseItem, 'queued' | 'state'> & { readonly state: StagedState } {
  const { address, state, releaseVersion, stableVersion, staged } = of;
  const { id, strategy, candidateVersion, stages, pausedFor } = staged;
  return {
    id,
    address,
    state,
    strategy,
    ...begunView(staged),
    candidate: candidateVersion,
    stableVersion,
    ...stageView(staged),
    stages: stages.length,
    releaseVersion,
    ...(pausedFor === null ? {} : { reason: pausedFor }),
  };
}

function releaseItem(of: StagedAddress): ReleaseItem {
  const { state, staged, queued } = of;
  const later = queued === null ? {} : { queued: queuedView(queued) };
  if (staged === null) return { ...queuedItem(of), ...later };
  assert(
    state === 'rolling' || state === 'paused',
    'a release in stages is under way in these states only',
  );
  return { ...stagedItem({ ...of, state, staged }), ...later };
}

/** What begins later where nothing is under way. */
function queuedItem({
  address,
  releaseVersion,
  stableVersion,
  queued,
}: StagedAddress): ReleaseItem {
  assert(queued !== null, 'what is listed is under way or queued');
  const { id, targetVersion: candidate, strategy } = queued;
  return {
    ...{ id, address, state: 'queued', strategy: strategyName(queued), candidate, stableVersion },
    ...{ stage: 0, stages: strategy?.stages.length ?? 1, releaseVersion },
  };
}

export function noSuchRelease(id: string): Outcome<never> {
  return refused(
    'unknown-release',
    `no release in stages with the id ${id} is under way or has ended, as far as is known: of what is ` +
      'queued, or ended under an older version of Pawl, look into the history, /v1/history/{address} or /v1/changes',
  );
}
