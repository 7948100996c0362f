import type { Gate } from '@pawl/contracts';
import { loopedAt } from './crash-loop.js';
import { NOBODY } from './finding.js';
import type { Finding } from './finding.js';
import type { Ends, EndsBySlot } from './gather-ends.js';
import type { Evidence } from './gather-evidence.js';

/** Candidates of which some are in a crash loop. */
interface Loops {
  readonly candidates: number;
  readonly looping: number;
  /** Of those, what is more than the rest's share. */
  readonly excess: number;
}

/** Those that are no candidates. */
interface Rest {
  readonly live: number;
  /** Of those, who is in a crash loop. */
  readonly looping: number;
  /** Who ended at all, about when the candidates did. */
  readonly ended: number;
}

/** What a gate takes for a crash loop. */
interface Rule {
  readonly withinMs: number;
  /** The stage began here: what was before, its predecessor has passed with. */
  readonly sinceMs: number;
}

/**
 * Judges by the instances that ended without a goodbye twice within the gate's time, the second time in this
 * stage. One end of an instance is forgiven: platforms move, and nodes fail. So is the share that is in a
 * crash loop, or ends as often, in the rest of a workload, or of all where it has no rest: then it is not the
 * release. Over all first; each workload alone where it can be held.
 */
export function judgeRestarts(
  gate: Gate,
  evidence: Pick<Evidence, 'all' | 'byWorkload' | 'ends'> & { readonly stageSinceMs: number },
): readonly Finding[] {
  const { all, byWorkload, ends, stageSinceMs: sinceMs } = evidence;
  const { limit = 0, withinMs = 0, onFailure } = gate;
  const rule = { withinMs, sinceMs };
  const withRest = [...ends.values()].filter(({ restLive }) => restLive > 0);
  const sum = { candidates: all.live + all.lost, looping: 0, excess: 0 };
  const alone: Finding[] = [];
  let lastMs = -Infinity;
  for (const [workload, one] of ends) {
    const loops = loopsOf(one.candidates, rule);
    const looping = loops.length;
    if (looping === 0) continue;
    const latestMs = Math.max(...loops);
    lastMs = Math.max(lastMs, latestMs);
    const { live = 0, lost = 0 } = byWorkload.get(workload) ?? {};
    const beside = restOf(one.restLive > 0 ? [one] : withRest, withinMs, latestMs);
    const candidates = Math.max(live + lost, looping);
    const counted = { candidates, looping, excess: beyond(beside, { candidates, looping }) };
    sum.looping += looping;
    sum.excess += counted.excess;
    if (onFailure === 'hold' && counted.excess > limit) {
      alone.push({ ...told(gate, counted, beside), outcome: 'fail', workload });
    }
  }
  if (all.live === 0 && sum.looping === 0) {
    return [{ ...NOBODY, limit }];
  }
  const over = told(gate, sum, restOf(withRest, withinMs, lastMs));
  const isFailed = onFailure === 'hold' ? alone.length > 0 : sum.excess > limit;
  return [{ ...over, outcome: isFailed ? 'fail' : 'pass' }, ...alone];
}

function told(
  { limit = 0, withinMs = 0 }: Gate,
  { candidates, looping }: Omit<Loops, 'excess'>,
  rest: Rest,
): Omit<Finding, 'outcome'> {
  const baseline = rest.live === 0 ? {} : { baseline: rest.looping };
  const numbers = { value: looping, ...baseline, limit };
  const who = `${looping} of ${candidates} candidates crash-loop`;
  if (looping === 0) return { why: who, ...numbers };
  const how = `ended without a goodbye twice within ${withinMs / 1_000} s`;
  const beside = rest.looping === 0 ? '' : `, beside ${rest.looping} of ${rest.live} of the rest`;
  return { why: `${who}: ${how}${beside}`, ...numbers };
}

/** How many more candidates are in a crash loop than if they were as the rest. */
function beyond(rest: Rest, { candidates, looping }: Omit<Loops, 'excess'>): number {
  if (rest.live === 0) return looping;
  // Who ends once by chance, as in a rollout of its own, ends twice by chance squared.
  const share = Math.max(rest.looping / rest.live, (rest.ended / rest.live) ** 2);
  return Math.max(0, looping - Math.round(candidates * share));
}

function restOf(ends: readonly Ends[], withinMs: number, aboutMs: number): Rest {
  let [live, looping, ended] = [0, 0, 0];
  for (const { rest, restLive } of ends) {
    const loops = loopsOf(rest, { withinMs, sinceMs: -Infinity }).length;
    const near = [...rest.values()].filter((each) =>
      each.some(({ ms }) => Math.abs(ms - aboutMs) <= withinMs),
    ).length;
    live += Math.max(restLive, near, loops);
    looping += loops;
    ended += near;
  }
  return { live, looping, ended };
}

/** When each slot that is in a crash loop was so last. */
function loopsOf(ends: EndsBySlot, { withinMs, sinceMs }: Rule): number[] {
  return [...ends.values()].flatMap((each) => {
    const ms = loopedAt(each, withinMs);
    return ms !== null && ms >= sinceMs ? [ms] : [];
  });
}
