import {
  cohortOf,
  PREFLIGHT_LASTS,
  PREFLIGHT_MS,
  PREPARE_KINDS,
  PREPARE_NAMES,
  STABLE_COHORT,
} from '@pawl/contracts';
import type { AddressText, PreflightRequest, Prepare, VoteItem } from '@pawl/contracts';
import type { TimerHandle } from '@pawl/kernel';
import type { ConsumerRef } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { RootTree } from '../sharding/root-tree.js';
import { consumerKey, identityOf } from '../status/incarnation.js';
import type { Incarnation } from '../status/incarnation.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { Turns } from '../turns.js';
import { kindOf } from './accepted-kinds.js';
import type { Reading } from './accepted-kinds.js';
import { PreflightPoll } from './preflight-poll.js';
import type { Sheet, SheetsOfCohorts } from './preflight-sheets.js';

/** Of the time that is left, what consumers have to fetch and to validate; the rest is for their votes. */
const CONSUMERS_PART = 2 / 3;

/** The consumers at an address that a preflight is for. */
export function consumersAsked(
  consumers: ShardConsumers,
  address: AddressText,
  { workload }: PreflightRequest,
): Incarnation[] {
  return consumers
    .at(address)
    .filter((one) => consumers.isLive(one))
    .filter(({ ref }) => workload === undefined || ref.workload === workload);
}

/** Of the request's time: when nothing came for so long nothing more is on its way. */
const QUIET_PART = 1 / 10;
/** How long votes are gathered before those are asked who wait for them, milliseconds. */
const GATHER_MS = 20;

/**
 * Consumers that are asked by name while nobody of their kind has been: all consumers at the address
 * get the names of all. Those who are missing are named as far as a message can, since the others answered.
 */
const FEW = 100;

type Kind = NonNullable<Prepare['kinds']>[number];

/** The first to be asked of those with the same question, workload and build. */
interface Scout {
  readonly one: Incarnation;
  readonly kind: Kind;
  isHeard: boolean;
}

/** Whom a sheet goes to now. */
interface Envelope {
  readonly sheet: Sheet;
  /** Incarnations that are scouts, or have come in place of one. */
  readonly scouts: string[];
  /** Incarnations whose scouts were heard, and the kinds that they are of. */
  readonly names: string[];
  readonly kinds: Set<Kind>;
}

interface RoundOf {
  readonly consumers: ShardConsumers;
  readonly tree: RootTree;
  readonly request: PreflightRequest;
  readonly sheets: ReadonlyMap<AddressText, SheetsOfCohorts>;
  /** Whether somebody is asked about a document; everybody is when left out. */
  readonly isMeant?: ((reading: Reading) => boolean) | undefined;
}

/**
 * Asks everybody what they would read, and waits for their votes: until all are there, or for the
 * request's time from when somebody was asked last, and on while answers come; at most for twice that
 * time. Of those who would read the same at an address one instance of each workload and
 * build is asked first, and the others once it has voted: what a `validate` dies of takes one of them, and
 * the rest counts as silent. Who has not answered by half of the time is asked once more; who has come
 * meanwhile, or would read something else by now, is asked before it ends.
 */
export class PreflightRound {
  readonly poll: PreflightPoll;
  readonly #scouts = new Map<Sheet, Map<string, Scout>>();
  /** By process and address. */
  readonly #scouting = new Map<string, Scout>();
  /** Incarnations that were asked. */
  readonly #sent = new Map<Sheet, Set<string>>();
  #soon: TimerHandle | undefined;
  #later: TimerHandle | undefined;
  /** Monotonic times: of the last answer, when who is missing is asked again, and until when answers are waited for. */
  #heardMs = -Infinity;
  #againMs = 0;
  #untilMs = 0;
  /** By then it ends, whatever still comes. */
  #latestMs = 0;
  #end: () => void = () => undefined;
  /** Consumers that were asked first in an earlier round and not heard; `null`: there was none. */
  readonly #unheard: ReadonlyMap<string, string> | null;

  /** `earlier`: a round about the same, which is over: who accepted then is not asked. Nothing else of it is kept. */
  constructor(
    private readonly context: EngineContext,
    private readonly of: RoundOf,
    earlier?: PreflightRound,
  ) {
    this.poll = new PreflightPoll(earlier?.poll);
    this.#unheard = earlier?.unheardScouts() ?? null;
  }

  async collect(): Promise<void> {
    const all = new Promise<void>((resolve) => (this.#end = resolve));
    this.#latestMs = this.context.clock.monotonicMs() + PREFLIGHT_LASTS * this.#timeoutMs;
    this.#waitAnew();
    this.#ask('first');
    await all;
    for (const each of [this.#later, this.#soon]) each?.cancel();
  }

  /** Passes over what is about another document than was asked about. */
  vote(from: ConsumerRef, incarnation: string, item: VoteItem): void {
    if (!this.poll.vote(from, incarnation, item)) return;
    this.#heardMs = this.context.clock.monotonicMs();
    const scout = this.#scouting.get(`${incarnation} ${item.address}`);
    if (scout !== undefined) scout.isHeard = true;
    if (this.poll.isComplete) return this.#ask('first');
    if (scout === undefined) return;
    this.#soon ??= this.context.timer.after(GATHER_MS, () => {
      this.#soon = undefined;
      this.#ask('first');
    });
  }

  /** Waits no longer. */
  end(): void {
    this.#end();
  }

  get #timeoutMs(): number {
    return this.of.request.timeoutMs ?? PREFLIGHT_MS.preset;
  }

  /** Somebody is asked now. */
  #waitAnew(): void {
    const nowMs = this.context.clock.monotonicMs();
    this.#untilMs = Math.min(nowMs + this.#timeoutMs, this.#latestMs);
    this.#againMs = (nowMs + this.#untilMs) / 2;
    this.#look();
  }

  /** Asks again, or ends, when it is time and no answer has come of late. */
  #look(): void {
    this.#later?.cancel();
    const nowMs = this.context.clock.monotonicMs();
    const quietMs = this.#heardMs + this.#timeoutMs * QUIET_PART;
    if (nowMs >= this.#latestMs) return this.#end();
    if (nowMs >= quietMs) {
      if (nowMs >= this.#untilMs) return this.#end();
      if (nowMs >= this.#againMs) {
        this.#againMs = Infinity;
        const halfMs = nowMs + this.#timeoutMs / 2;
        this.#untilMs = Math.min(Math.max(this.#untilMs, halfMs), this.#latestMs);
        this.#ask('again');
      }
    }
    const dueMs = Math.max(quietMs, Math.min(this.#againMs, this.#untilMs));
    const waitMs = Math.max(1, Math.min(dueMs, this.#latestMs) - nowMs);
    this.#later = this.context.timer.after(waitMs, () => this.#look());
  }

  /** `first`: who was not asked yet; `again`: who has not answered. */
  #ask(whom: 'first' | 'again'): void {
    const envelopes = [...this.of.sheets].flatMap(([address, sheets]) =>
      this.#missing(address, sheets, whom),
    );
    const most = whom === 'again' ? PREPARE_NAMES : FEW;
    if (this.poll.isComplete) return this.#end();
    if (whom === 'first' && envelopes.length > 0) this.#waitAnew();
    const leftMs = this.#untilMs - this.context.clock.monotonicMs();
    const deadlineMs = Math.max(1, Math.floor(leftMs * CONSUMERS_PART));
    void this.#send(envelopes, { deadlineMs, most }).catch((error: unknown) => {
      this.context.log.error('consumers could not be asked', { error: String(error) });
    });
  }

  /** Whom to ask now at an address. */
  #missing(address: AddressText, sheets: SheetsOfCohorts, whom: 'first' | 'again'): Envelope[] {
    const { consumers, tree, request, isMeant = () => true } = this.of;
    const releases = tree.getByText(address)?.head.releases ?? [];
    const sheetOf = (one: Incarnation): Sheet | undefined => {
      const cohort = releases.length === 0 ? STABLE_COHORT : cohortOf(releases, identityOf(one));
      const sheet = sheets.get(cohort);
      if (sheet === undefined) return undefined;
      return isMeant({ one, address, hash: sheet.message.hash }) ? sheet : undefined;
    };
    const envelopes = new Map<Sheet, Envelope>();
    const there = consumersAsked(consumers, address, request);
    const known = this.#unheard === null ? [] : there;
    const names = new Set(known.map(({ ref }) => consumerKey(ref)));
    for (const one of there) {
      const sheet = sheetOf(one);
      if (sheet === undefined || !this.poll.ask(one, address, sheet.message.hash)) continue;
      const sent = this.#sent.get(sheet) ?? new Set();
      this.#sent.set(sheet, sent);
      if (whom === 'first' && sent.has(one.id)) continue;
      const scout = this.#scoutOf(one, sheet, names);
      if (scout === undefined || !(scout.isHeard || scout.one.id === one.id)) continue;
      sent.add(one.id);
      const envelope = envelopes.get(sheet) ?? newEnvelope(sheet);
      envelopes.set(sheet, envelope);
      envelope[scout.isHeard ? 'names' : 'scouts'].push(one.id);
      if (scout.isHeard) envelope.kinds.add(scout.kind);
    }
    return [...envelopes.values()];
  }

  /**
   * Who is asked first of those like it; itself, if nobody is yet. One that has said goodbye is replaced;
   * one that was not heard in an earlier round is a scout again, so that no other is lost: until it is
   * come to there is none.
   */
  #scoutOf(one: Incarnation, sheet: Sheet, there: ReadonlySet<string>): Scout | undefined {
    const { ref, build, id } = one;
    const scouts = this.#scouts.get(sheet) ?? new Map<string, Scout>();
    this.#scouts.set(sheet, scouts);
    const key = kindOf(one);
    const known = scouts.get(key);
    if (known !== undefined && (known.isHeard || !known.one.left)) return known;
    const before = this.#unheard?.get(scoutKey(sheet, key));
    if (before !== undefined && before !== consumerKey(ref) && there.has(before)) return undefined;
    const kind = { workload: ref.workload, ...(build === null ? {} : { build }) };
    const scout = { one, kind, isHeard: false };
    scouts.set(key, scout);
    this.#scouting.set(`${id} ${sheet.to.text}`, scout);
    return scout;
  }

  /** Consumers that were asked first, and not heard, by what they were asked and their kind. */
  private unheardScouts(): ReadonlyMap<string, string> {
    const unheard = new Map<string, string>();
    for (const [sheet, scouts] of this.#scouts) {
      for (const [key, { one, isHeard }] of scouts) {
        if (!isHeard) unheard.set(scoutKey(sheet, key), consumerKey(one.ref));
      }
    }
    return unheard;
  }

  async #send(
    envelopes: readonly Envelope[],
    { deadlineMs, most }: { readonly deadlineMs: number; readonly most: number },
  ): Promise<void> {
    const turns = new Turns(this.context.scheduler);
    for (const envelope of envelopes) {
      const { to, message } = envelope.sheet;
      for (const those of this.#whom(envelope, most)) {
        this.context.publisher.askToPrepare(to, { ...message, deadlineMs, ...those });
        await turns.spent(message.size);
      }
    }
  }

  /** By name; where that are more, by what they have in common: who has answered answers again. */
  #whom(envelope: Envelope, most: number): Pick<Prepare, 'only' | 'cohorts' | 'kinds'>[] {
    const { sheet, scouts, names, kinds } = envelope;
    const those = [...scouts, ...names];
    if (those.length <= most) return those.length === 0 ? [] : [{ only: those }];
    const isOnly = this.of.tree.getByText(sheet.to.text)?.head.releases.length === 0;
    const cohorts = isOnly ? {} : { cohorts: sheet.cohorts };
    return [
      ...portionsOf(scouts, PREPARE_NAMES).map((portion) => ({ only: portion })),
      ...portionsOf([...kinds], PREPARE_KINDS).map((portion) => ({ ...cohorts, kinds: portion })),
    ];
  }
}

/** Of a kind that is asked about a document at an address. */
function scoutKey({ to, message }: Sheet, kind: string): string {
  return `${to.text}\n${message.hash}\n${kind}`;
}

function newEnvelope(sheet: Sheet): Envelope {
  return { sheet, scouts: [], names: [], kinds: new Set() };
}

function portionsOf<T>(all: readonly T[], size: number): T[][] {
  const portions: T[][] = [];
  for (let from = 0; from < all.length; from += size) portions.push(all.slice(from, from + size));
  return portions;
}
