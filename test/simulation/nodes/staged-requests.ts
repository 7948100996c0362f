import type {
  AddressText,
  Gate,
  JsonObject,
  PreflightPolicy,
  ReleaseRequest,
  Strategy,
  StrategyStage,
} from '@pawl/contracts';
import type { Rng } from '@pawl/kernel';
import type { KeptAddress } from './kept-truth.js';
import { NOWHERE } from './kept-truth.js';
import { expiry, gatesOfPeople, laterRequest } from './later-requests.js';
import { REGIONS, TEMPERS } from './staged-scenery.js';

/** One of so many documents makes trouble. */
const TROUBLE = 6;
/** One of so many requests is about a person, a time or a workload. */
const LATER = 3;
const SHORTEST_BAKE_MS = 300;
const LONGEST_BAKE_MS = 3_000;

/** What an operator does to an address whose releases go in stages; now and then he is in the way. */
export function stagedRequest(
  rng: Rng,
  { definitions, releases }: KeptAddress,
  about: { readonly reason: string; readonly told: number; readonly nowMs: number },
): ReleaseRequest {
  const { reason, told, nowMs } = about;
  const newest = Math.max(1, definitions.length);
  const now = releases.at(-1)?.next ?? NOWHERE;
  const { staged, stableVersion } = now;
  const seen = rng.below(3) === 0 ? { expectedReleaseVersion: told } : {};
  const any = 1 + rng.below(newest);
  const of = { ...seen, reason };
  if (rng.below(LATER) === 0) {
    return laterRequest(rng, now, { about: of, nowMs, strategy: () => strategy(rng) });
  }
  switch (rng.below(24)) {
    case 0:
      return { ...of, action: 'disable' };
    case 1:
    case 2:
      return { ...of, action: 'enable' };
    case 3:
      return { ...of, action: 'rollback', targetVersion: any, force: rng.below(4) === 0 };
    case 4:
      return { ...of, action: 'rollback', targetVersion: stableVersion ?? any };
    case 5:
      return { ...of, action: 'promote', strategy: 'all-at-once' };
    case 6:
      return { ...of, action: 'block', targetVersion: staged?.candidateVersion ?? any };
    case 7:
      return { ...of, action: 'unblock', targetVersion: any };
    case 8:
    case 9:
      return { ...of, action: 'advance' };
    case 10:
      return { ...of, action: 'skip' };
    case 11:
      return { ...of, action: 'pause' };
    case 12:
    case 13:
      return { ...of, action: 'resume' };
    case 14:
      return { ...of, action: 'abort' };
    case 15:
      return { ...of, action: 'promote', strategy: strategy(rng), conflict: 'supersede' };
    default:
      return { ...of, action: 'promote', strategy: strategy(rng) };
  }
}

/**
 * The same, where it is a promote that begins now: at times with names of releases under way below. Decided
 * by what is drawn already, so that seeds stay what they are.
 */
export function preempting(
  request: ReleaseRequest,
  below: readonly AddressText[],
  nowMs: number,
): ReleaseRequest {
  const { action, at, conflict = 'refuse' } = request;
  const isNow = at === undefined && (conflict === 'refuse' || conflict === 'supersede');
  const drawn = Math.floor(nowMs);
  if (action !== 'promote' || !isNow || below.length === 0 || drawn % 3 > 0) return request;
  return { ...request, preempt: below.filter((_, index) => (drawn + index) % 4 > 0) };
}

/** What a document says that some consumers reject, and others die of. */
export function troubles(rng: Rng, at: string): JsonObject {
  switch (rng.below(TROUBLE)) {
    case 0:
      return { [`refused ${at}`]: rng.below(TEMPERS) };
    case 1:
      return { [`deadly ${at}`]: rng.below(TEMPERS) };
    default:
      return {};
  }
}

function strategy(rng: Rng): Strategy {
  const bakeMs = SHORTEST_BAKE_MS + rng.below(LONGEST_BAKE_MS - SHORTEST_BAKE_MS);
  const finalBakeMs = rng.below(2) * bakeMs;
  const gates = { ...gatesOf(rng), ...expiry(rng), preflight: preflightOf(bakeMs) };
  switch (rng.below(4)) {
    case 0:
      return { preset: 'canary', percent: 50, bakeMs, finalBakeMs, ...gates };
    case 1:
      return { preset: 'linear', stepPercent: 40, bakeMs, finalBakeMs, ...gates };
    default:
      return { stages: [...stages(rng, bakeMs), { percent: 100, bakeMs: finalBakeMs }], ...gates };
  }
}

/** Every fourth begins with one; drawn from what is drawn already, so that seeds stay what they are. */
function preflightOf(bakeMs: number): PreflightPolicy | false {
  if (bakeMs % 4 > 0) return false;
  const onSilence = bakeMs % 8 > 0 ? 'proceed' : 'pause';
  return { timeoutMs: 500, onRejection: bakeMs % 3 > 0 ? 'abort' : 'pause', onSilence };
}

function stages(rng: Rng, bakeMs: number): StrategyStage[] {
  const region = REGIONS[rng.below(REGIONS.length)] ?? REGIONS[0];
  const first: StrategyStage = { count: 1 + rng.below(2), bakeMs };
  const selected: StrategyStage = { percent: 100, selector: { region: [region] }, bakeMs };
  const half: StrategyStage = { percent: 50, bakeMs: rng.below(2) * bakeMs };
  return [first, selected, half].filter(() => rng.below(3) > 0);
}

function gatesOf(rng: Rng): { readonly gates?: Gate[] } {
  switch (rng.below(8)) {
    case 0:
      return { gates: [] };
    case 5:
    case 6:
    case 7:
      return { gates: gatesOfPeople(rng) };
    case 1:
      return { gates: [{ kind: 'rejections', limit: 0, onFailure: 'pause' }] };
    case 2:
      return {
        gates: [
          { kind: 'rejections', limit: 2 },
          { kind: 'applied', percent: 50, withinMs: 4_000 },
        ],
      };
    case 3:
      return { gates: [{ kind: 'lost', percent: 20, onFailure: 'abort' }] };
    default:
      return {};
  }
}
