import type { Dependency, MemberState } from './ownership-keys.js';
import { wantedOwner } from './rendezvous.js';

/** A member as the planner sees it. */
export interface PlannedMember {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly state: MemberState;
  /** A ready one that has been so for long enough to be given shards: it says so itself. */
  readonly settled: boolean;
  /** The worst that an unready one lacks; null: nothing. */
  readonly lacks: Dependency | null;
  /** How long this node has known it in this state and lacking the same, milliseconds; Infinity: longer than itself. */
  readonly forMs: number;
  /** How often it stopped being ready, not counting what is long ago. */
  readonly lapses: number;
  /** Shards that it has claimed in vain, ready as it is. */
  readonly failing: readonly number[];
}

export interface PlanTimes {
  /** How long a member is ready before it is given shards. */
  readonly settleMs: number;
  /** How long an owner is unready before its shards move: by then the others would be too. */
  readonly graceMs: number;
}

/** Who claims a shard now. */
export interface PlannedClaim {
  readonly node: string;
  readonly incarnation: string;
}

/** An owner gives away to a mute member only what that member by its own clock surely wants. */
const MARGIN = 1.1;
const MOST_DOUBLINGS = 5;

/** How long this member must be ready to count: twice as long after each lapse, so that no flapping moves shards to and fro. */
export function settleMs({ lapses }: Pick<PlannedMember, 'lapses'>, times: PlanTimes): number {
  return times.settleMs * 2 ** Math.min(lapses, MOST_DOUBLINGS);
}

/** Whether it has been as it is for surely as long as a member is ready before it is given shards. */
function isSteady(member: PlannedMember, times: PlanTimes): boolean {
  return member.forMs >= settleMs(member, times) * MARGIN;
}

/**
 * Whether an owner without PostgreSQL gives its shards to it: settled, or ready for as long as that takes
 * after one lapse. After troubles that all had, nobody may be settled for minutes.
 */
export function takesOver(member: PlannedMember, times: PlanTimes): boolean {
  return member.settled || (member.state === 'ready' && member.forMs >= takeOverMs(times));
}

const takeOverMs = (times: PlanTimes): number => settleMs({ lapses: 1 }, times) * MARGIN;

/** Lacks NATS only: it commits what it is asked for, and nobody hears of it until NATS is back. */
function isMute({ state, lacks }: PlannedMember): boolean {
  return state === 'unready' && lacks === 'distribution';
}

/**
 * Who should own a shard: the highest rendezvous hash among the settled members. A shard that has an
 * owner moves calmly: from a ready owner only to a settled member with a higher hash, from an unready
 * one after a grace, and from a draining one to any ready member while none is settled. An owner
 * without PostgreSQL gives it also to one that is ready for a while, see {@link takesOver}, and else to
 * one that has long lacked nothing but NATS. Where nobody is there to take it, it stays. One that nobody owns is for the settled members, else for the ready
 * ones, else for those without NATS, else for those that may be ready again before they say so. Null
 * without any. A member that says that it cannot serve the shard is given it only when nobody owns it and
 * every other ready one says so too, as if none did: what fails everywhere moves nothing.
 */
export function planShard(
  shard: number,
  claim: PlannedClaim | null,
  members: readonly PlannedMember[],
  times: PlanTimes,
): string | null {
  const best = (among: readonly PlannedMember[]): string | null =>
    wantedOwner(
      shard,
      among.map(({ nodeId }) => nodeId),
    );
  const ready = members.filter(({ state }) => state === 'ready');
  const able = ready.filter(({ failing }) => !failing.includes(shard));
  const settled = able.filter((member) => member.settled);
  const owner = members.find(
    ({ nodeId, incarnation }) => nodeId === claim?.node && incarnation === claim.incarnation,
  );
  if (owner === undefined) {
    return (
      best(settled) ??
      best(able) ??
      best(ready.filter((member) => member.settled)) ??
      best(ready) ??
      best(members.filter(isMute)) ??
      best(members.filter(isStaying))
    );
  }
  switch (owner.state) {
    case 'ready':
      return best(settled.includes(owner) ? settled : [...settled, owner]);
    case 'unready': {
      if (owner.forMs < times.graceMs) return owner.nodeId;
      if (isMute(owner)) return best(settled) ?? owner.nodeId;
      const ready = able.filter((member) => takesOver(member, times));
      const mute = members.filter((member) => isMute(member) && isSteady(member, times));
      return best(settled) ?? best(ready) ?? best(mute) ?? owner.nodeId;
    }
    case 'draining':
      return best(settled) ?? best(able) ?? owner.nodeId;
  }
}

function isStaying({ state }: PlannedMember): boolean {
  return state !== 'draining';
}

/** Less is within the rounding of clocks: a timer for it may find that nothing has changed yet. */
const LEAST_WAIT_MS = 1;

/** When the plan may change although nobody says anything: milliseconds from now; null: not at all. */
export function planChangesIn(members: readonly PlannedMember[], times: PlanTimes): number | null {
  const waits = members.flatMap((member) => {
    if (member.state === 'ready' && !member.settled) return [takeOverMs(times) - member.forMs];
    if (member.state !== 'unready') return [];
    const grace = times.graceMs - member.forMs;
    const steady = settleMs(member, times) * MARGIN - member.forMs;
    return isMute(member) ? [grace, steady] : [grace];
  });
  const coming = waits.filter((ms) => ms > 0);
  return coming.length === 0 ? null : Math.max(LEAST_WAIT_MS, Math.min(...coming));
}
