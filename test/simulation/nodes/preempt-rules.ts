import type { AskedReleases } from './asked-releases.js';
import type { Transition } from './staged-releases.js';
import type { Violations } from './violations.js';

/** Demands that a promote ends the releases below that it names, in one with it, and no other. */
export function judgePreempted(
  judge: Violations,
  asked: AskedReleases,
  { address, told, now, together }: Pick<Transition, 'address' | 'told' | 'now' | 'together'>,
): void {
  const { by, action, op, preemptedBy } = told;
  if (preemptedBy !== undefined) {
    const { preempt = [] } = asked.of(preemptedBy) ?? {};
    const isNamed = now.staged !== null && preempt.includes(address);
    judge.demand(isNamed, `${preemptedBy} ends the release of ${address}, which it names (§4)`);
  }
  if (by !== 'person' || action !== 'promote') return;
  for (const name of asked.of(op)?.preempt ?? []) {
    const isOver = together.some((one) => one.address === name && one.next.staged === null);
    judge.demand(isOver, `${op} ends the release of ${name} in one with it (§4)`);
  }
}
