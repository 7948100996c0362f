import type { Gate } from '@pawl/contracts';
import type { Finding } from './finding.js';
import type { Ends } from './gather-ends.js';
import type { Evidence } from './gather-evidence.js';

/** Candidates of which some are in a crash loop. */
interface Loops {
  readonly candidates: number;
  readonly looping: number;
  /** Of those, what is more than the rest's share. */
  readonly excess: number;
}

/** Who is in a crash loop, of those that are no candidates. */
interface Rest {
  readonly live: number;
  readonly looping: number;
}

/**
 * Judges by the instances that ended without a goodbye twice within the gate's time. One end of an instance
 * is forgiven: platforms move, and nodes fail. So is the share that is in a crash loop in the rest of a
 * workload, or of all where it has no rest: then it is not the release. Over all first; each workload alone
 * where it can be held.
 */
export function judgeRestarts(
  gate: Gate,
  { all, byWorkload, ends }: Pick<Evidence, 'all' | 'byWorkload' | 'ends'>,
): readonly Finding[] {
  const { limit = 0, withinMs = 0, onFailure } = gate;
  const rests = new Map([...ends].map(([workload, one]) => [workload, restOf(one, withinMs)]));
  const rest = [...rests.values()].reduce(joined, { live: 0, looping: 0 });
  const sum = { candidates: all.live + all.lost, looping: 0, excess: 0 };
  const alone: Finding[] = [];
  for (const [workload, one] of ends) {
    const looping = countLoops(one.candidates, withinMs);
    if (looping === 0) continue;
    const { live = 0, lost = 0 } = byWorkload.get(workload) ?? {};
    const own = rests.get(workload);
    const beside = own === undefined || own.live === 0 ? rest : own;
    const candidates = Math.max(live + lost, looping);
    const loops = { candidates, looping, excess: beyond(beside, { candidates, looping }) };
    sum.looping += looping;
    sum.excess += loops.excess;
    if (onFailure === 'hold' && loops.excess > limit) {
      alone.push({ ...told(gate, loops, beside), outcome: 'fail', workload });
    }
  }
  if (all.live === 0 && sum.looping === 0) {
    const why = 'no live instance has been reached to judge it by';
    return [{ outcome: 'inconclusive', why, limit }];
  }
  const over = told(gate, sum, rest);
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
  return Math.max(0, looping - Math.round((candidates * rest.looping) / rest.live));
}

function restOf({ rest, restLive }: Ends, withinMs: number): Rest {
  const looping = countLoops(rest, withinMs);
  return { live: restLive === 0 ? 0 : Math.max(restLive, looping), looping };
}

function joined(one: Rest, other: Rest): Rest {
  return { live: one.live + other.live, looping: one.looping + other.looping };
}

/** Slots with two ends that are so close. */
function countLoops(ends: ReadonlyMap<string, readonly number[]>, withinMs: number): number {
  let looping = 0;
  for (const times of ends.values()) if (isLoop(times, withinMs)) looping += 1;
  return looping;
}

function isLoop(times: readonly number[], withinMs: number): boolean {
  if (times.length < 2) return false;
  const sorted = [...times].sort((a, b) => a - b);
  return sorted.some((ms, at) => ms - (sorted[at - 1] ?? -Infinity) <= withinMs);
}
