import type { Gate, ReleaseRequest, Strategy } from '@pawl/contracts';
import type { Rng } from '@pawl/kernel';
import { lacksApproval } from './approval-rules.js';
import type { NewRelease } from './kept-truth.js';
import { WORKLOADS } from './staged-scenery.js';

/** A promote begins at most so long from now. */
const LATEST_MS = 4_000;
const SHORTEST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 8_000;

/** What operators do that is about persons, times and workloads, rather than stages. */
export function laterRequest(
  rng: Rng,
  { staged, queued }: Pick<NewRelease, 'staged' | 'queued'>,
  of: {
    readonly about: Pick<ReleaseRequest, 'reason' | 'expectedReleaseVersion'>;
    readonly nowMs: number;
    readonly strategy: () => Strategy;
  },
): ReleaseRequest {
  const { about, nowMs, strategy } = of;
  if (staged !== null && lacksApproval(staged) && rng.below(2) === 0) {
    return { ...about, action: 'approve' };
  }
  const wanted = rng.below(4) === 0 ? 'all-at-once' : strategy();
  const promote = { ...about, ...exception(rng), action: 'promote', strategy: wanted };
  const at = new Date(nowMs + rng.below(LATEST_MS)).toISOString();
  switch (rng.below(10)) {
    case 0:
    case 1:
      return { ...about, action: 'hold', workloads: workloads(rng) };
    case 2:
      return { ...about, action: 'pause' };
    case 3:
      return { ...about, action: queued === null ? 'resume' : 'cancel' };
    case 4:
    case 5:
    case 6:
      return { ...promote, conflict: 'queue' };
    case 7:
      return { ...promote, conflict: 'requeue' };
    case 8:
      return { ...promote, conflict: 'requeue', at };
    default:
      return { ...promote, at };
  }
}

/** Gates that wait for a person, or hold a workload. */
export function gatesOfPeople(rng: Rng): Gate[] {
  const rejections: Gate = { kind: 'rejections', limit: 0, onFailure: 'hold' };
  switch (rng.below(3)) {
    case 0:
      return [{ kind: 'approval' }, rejections];
    case 1:
      return [
        { kind: 'approval', stages: [0] },
        { ...rejections, onFailure: 'abort' },
      ];
    default:
      return [rejections, { kind: 'lost', percent: 20, onFailure: 'hold' }];
  }
}

/** How long a release may stay paused: shorter than REST takes, so that a world sees the end of it. */
export function expiry(rng: Rng): { readonly expireMs?: number } {
  if (rng.below(2) > 0) return {};
  return { expireMs: SHORTEST_PAUSE_MS + rng.below(LONGEST_PAUSE_MS - SHORTEST_PAUSE_MS) };
}

function exception(rng: Rng): { readonly freezeException?: string } {
  return rng.below(4) === 0 ? { freezeException: 'it cannot wait' } : {};
}

function workloads(rng: Rng): Readonly<Record<string, string>> {
  const first = rng.below(WORKLOADS.length);
  const held = WORKLOADS.slice(first, first + 1 + rng.below(2));
  return Object.fromEntries(held.map((workload) => [workload, 'is not well']));
}
