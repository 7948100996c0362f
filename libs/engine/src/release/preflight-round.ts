import { cohortOf, PREFLIGHT_MS, PREPARE_KINDS, PREPARE_NAMES } from '@pawl/contracts';
import type { AddressText, PreflightRequest, Prepare, VoteItem } from '@pawl/contracts';
import type { TimerHandle } from '@pawl/kernel';
import type { ConsumerRef } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { RootTree } from '../sharding/root-tree.js';
import { consumerKey, identityOf } from '../status/incarnation.js';
import type { Incarnation } from '../status/incarnation.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { Turns } from '../turns.js';
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

/** How long votes are gathered before those are asked who wait for them, milliseconds. */
const GATHER_MS = 20;

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
  readonly names: string[];
  /** Others have this question too, and wait for the vote of a scout. */
  isHolding: boolean;
}

/**
 * Asks everybody what they would read, and waits for their votes: until all are there, at most for the
 * request's time. Of those who would read the same at an address one instance of each workload and
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
  #untilMs = 0;
  #end: () => void = () => undefined;

  constructor(
    private readonly context: EngineContext,
    private readonly of: {
      readonly consumers: ShardConsumers;
      readonly tree: RootTree;
      readonly request: PreflightRequest;
      readonly sheets: ReadonlyMap<AddressText, SheetsOfCohorts>;
      /** An earlier round about the same: who accepted then is not asked. */
      readonly earlier?: PreflightRound | undefined;
    },
  ) {
    this.poll = new PreflightPoll(of.earlier?.poll);
  }

  async collect(): Promise<void> {
    const { timer } = this.context;
    const timeoutMs = this.of.request.timeoutMs ?? PREFLIGHT_MS.preset;
    const all = new Promise<void>((resolve) => (this.#end = resolve));
    this.#untilMs = this.context.clock.monotonicMs() + timeoutMs;
    const timers = [
      timer.after(timeoutMs / 2, () => this.#ask('again')),
      timer.after(timeoutMs, this.#end),
    ];
    this.#ask('first');
    await all;
    for (const each of [...timers, this.#soon]) each?.cancel();
  }

  /** Passes over what is about another document than was asked about. */
  vote(from: ConsumerRef, incarnation: string, item: VoteItem): void {
    if (!this.poll.vote(from, incarnation, item)) return;
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

  /** `first`: who was not asked yet; `again`: who has not answered. */
  #ask(whom: 'first' | 'again'): void {
    const envelopes = [...this.of.sheets].flatMap(([address, sheets]) =>
      this.#missing(address, sheets, whom),
    );
    if (this.poll.isComplete) return this.#end();
    const leftMs = this.#untilMs - this.context.clock.monotonicMs();
    const deadlineMs = Math.max(1, Math.floor(leftMs * CONSUMERS_PART));
    void this.#send(envelopes, deadlineMs).catch((error: unknown) => {
      this.context.log.error('consumers could not be asked', { error: String(error) });
    });
  }

  /** Whom to ask now at an address. */
  #missing(address: AddressText, sheets: SheetsOfCohorts, whom: 'first' | 'again'): Envelope[] {
    const { consumers, tree, request } = this.of;
    const releases = tree.getByText(address)?.head.releases ?? [];
    const envelopes = new Map<Sheet, Envelope>();
    const there = consumersAsked(consumers, address, request);
    const names = new Set(there.map(({ ref }) => consumerKey(ref)));
    for (const one of there) {
      const sheet = sheets.get(cohortOf(releases, identityOf(one)));
      if (sheet === undefined || !this.poll.ask(one, address, sheet.message.hash)) continue;
      const envelope = envelopes.get(sheet) ?? { sheet, names: [], isHolding: false };
      envelopes.set(sheet, envelope);
      const sent = this.#sent.get(sheet) ?? new Set();
      this.#sent.set(sheet, sent);
      if (!this.#mayAsk(one, sheet, names)) envelope.isHolding = true;
      else if (whom === 'again' || !sent.has(one.id)) envelope.names.push(one.id);
    }
    for (const { sheet, names: asked } of envelopes.values()) {
      for (const id of asked) this.#sent.get(sheet)?.add(id);
    }
    return [...envelopes.values()];
  }

  /**
   * Whether it is a scout, or its scout was heard. One that has said goodbye is replaced; one that was not
   * heard in an earlier round is a scout again, so that no other is lost.
   */
  #mayAsk(one: Incarnation, sheet: Sheet, there: ReadonlySet<string>): boolean {
    const { ref, build, id } = one;
    const scouts = this.#scouts.get(sheet) ?? new Map<string, Scout>();
    this.#scouts.set(sheet, scouts);
    const key = `${ref.workload}\n${build ?? ''}`;
    const known = scouts.get(key);
    if (known !== undefined && (known.isHeard || !known.one.left)) {
      return known.isHeard || known.one.id === id;
    }
    const before = this.of.earlier?.unheardScout(sheet, key);
    if (before !== undefined && before !== consumerKey(ref) && there.has(before)) return false;
    const kind = { workload: ref.workload, ...(build === null ? {} : { build }) };
    const scout = { one, kind, isHeard: false };
    scouts.set(key, scout);
    this.#scouting.set(`${id} ${sheet.to.text}`, scout);
    return true;
  }

  /** The consumer that was asked first about the same, and not heard. */
  private unheardScout({ to, message }: Sheet, key: string): string | undefined {
    for (const [sheet, scouts] of this.#scouts) {
      if (sheet.to.text !== to.text || sheet.message.hash !== message.hash) continue;
      const scout = scouts.get(key);
      return scout === undefined || scout.isHeard ? undefined : consumerKey(scout.one.ref);
    }
    return undefined;
  }

  async #send(envelopes: readonly Envelope[], deadlineMs: number): Promise<void> {
    const turns = new Turns(this.context.scheduler);
    for (const envelope of envelopes) {
      const { to, message } = envelope.sheet;
      for (const those of this.#whom(envelope)) {
        this.context.publisher.askToPrepare(to, { ...message, deadlineMs, ...those });
        await turns.spent(message.size);
      }
    }
  }

  /** By name; where that are many, by what they have in common: who has answered answers again. */
  #whom({ sheet, names, isHolding }: Envelope): Pick<Prepare, 'only' | 'cohorts' | 'kinds'>[] {
    if (names.length === 0) return [];
    if (names.length <= PREPARE_NAMES) return [{ only: names }];
    const isOnly = this.of.tree.getByText(sheet.to.text)?.head.releases.length === 0;
    const cohorts = isOnly ? {} : { cohorts: sheet.cohorts };
    if (!isHolding) return [cohorts];
    const kinds = [...(this.#scouts.get(sheet)?.values() ?? [])]
      .filter(({ isHeard }) => isHeard)
      .map(({ kind }) => kind);
    return portionsOf(kinds, PREPARE_KINDS).map((portion) => ({ ...cohorts, kinds: portion }));
  }
}

function portionsOf<T>(all: readonly T[], size: number): T[][] {
  const portions: T[][] = [];
  for (let from = 0; from < all.length; from += size) portions.push(all.slice(from, from + size));
  return portions;
}
