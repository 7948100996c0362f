import type { AddressText } from '@pawl/contracts';
import type { AskedReleases } from './asked-releases.js';
import { FORWARD, frozenAt } from './freeze-rules.js';
import type { Span } from './freeze-rules.js';
import type { KeptTruth, NewRelease } from './kept-truth.js';
import { isPinRaised, nameOf } from './pin-rules.js';
import { troubleOfQueued } from './queued-rules.js';
import type { ToldTransition } from './told-transitions.js';
import type { Violations } from './violations.js';

export interface LaterWorld {
  reached(what: string): void;
  /** All that the wall clock of this owner may have shown since he may have judged what he commits now. */
  wallSpan(owner: string): Span;
}

/** One transition, before it is in the books. */
export interface Took {
  readonly truth: KeptTruth;
  readonly address: AddressText;
  readonly owner: string;
  readonly told: ToldTransition;
  readonly now: NewRelease;
  readonly next: NewRelease;
}

/**
 * Demands of promotes that begin later that they begin once and in time, of freezes that they hold, and of
 * what was ended, superseded or cancelled that it never comes back.
 */
export class LaterReleases {
  constructor(
    private readonly judge: Violations,
    private readonly asked: AskedReleases,
    private readonly world: LaterWorld,
  ) {}

  took(of: Took): void {
    const { address, told, now, next } = of;
    const what = `${told.action} of ${address} to release version ${next.releaseVersion}`;
    if (told.by === 'person') this.asked.took(told, now, next);
    const isRequeue = this.asked.isRequeue(told.op);
    const trouble = troubleOfQueued({ ...told, isRequeue }, now, next);
    this.judge.demand(trouble === null, `${what} leaves queued what is to be (§4): ${trouble}`);
    if (told.by === 'queued') this.#begun(of, what);
    this.#checkFreeze(of, what);
    this.#checkSpent(of, what);
    this.#count(of);
  }

  #begun({ truth, owner, told, now }: Took, what: string): void {
    const { queued } = now;
    if (queued === null) return;
    const { toMs } = this.world.wallSpan(owner);
    const isDue = queued.beginAt === null || Date.parse(queued.beginAt) <= toMs;
    this.judge.demand(isDue, `${what} begins at ${queued.beginAt}, and not before (§4)`);
    this.judge.demand(told.author === queued.by, `${what} is of who queued it (§4)`);
    const isOf = queued.generation === truth.generation;
    this.judge.demand(isOf, `${what} was queued since the last restore was accepted (§4)`);
    this.world.reached(`queued promote begun${queued.beginAt === null ? '' : ' at its time'}`);
  }

  #checkFreeze({ truth, address, owner, told, now, next }: Took, what: string): void {
    if (!FORWARD.has(told.action) && !isPinRaised(now, next)) return;
    const frozen = frozenAt(truth, address, this.world.wallSpan(owner));
    if (frozen === undefined) return;
    const exception = {
      person: this.asked.exceptionOf(told.op),
      queued: now.queued?.freezeException ?? undefined,
      ...{ owner: undefined, another: undefined },
    }[told.by];
    this.judge.demand(
      exception !== undefined,
      `${what} waits for the end of a freeze: ${frozen} (§4)`,
    );
    this.world.reached(`in a freeze, with an exception: ${told.by}`);
  }

  /** What was ended is over. */
  #checkSpent({ truth, now, next }: Took, what: string): void {
    const before = idsOf(now);
    const after = idsOf(next);
    for (const id of after.filter((one) => !before.includes(one))) {
      this.judge.demand(!truth.spent.has(id), `${what} brings nothing back that was ended (§4)`);
    }
    for (const id of before.filter((one) => !after.includes(one))) truth.spent.add(id);
  }

  #count({ told, now, next }: Took): void {
    const { action, by } = told;
    if (action === 'queue' || action === 'schedule') {
      this.world.reached(`${action}d${now.queued === null ? '' : ' in place of another'}`);
    } else if (now.queued !== null && next.queued === null && by !== 'queued') {
      this.world.reached(
        `what was queued is dropped: ${by === 'owner' ? 'by itself, ' : ''}${action}`,
      );
    }
    if (next.queued !== null && now.staged !== null && next.staged === null) {
      this.world.reached('a release ended, and one is queued');
    }
  }
}

function idsOf({ staged, queued, pins }: NewRelease): string[] {
  return [
    ...[staged, queued].flatMap((one) => (one === null ? [] : [one.id])),
    ...pins.map(nameOf),
  ];
}
