import { PREFLIGHT_MS, PREPARE_NAMES } from '@pawl/contracts';
import type { AddressText, PreflightRequest, VoteItem } from '@pawl/contracts';
import type { TimerHandle } from '@pawl/kernel';
import type { ConsumerRef } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { Incarnation } from '../status/incarnation.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { Turns } from '../turns.js';
import { PreflightPoll } from './preflight-poll.js';
import type { Sheet } from './preflight-sheets.js';

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

/** The first of an address, a workload and a build to be asked. */
interface Scout {
  readonly id: string;
  isHeard: boolean;
}

/**
 * Asks everybody and waits for their votes: until all are there, at most for the request's time. At each
 * address one instance of each workload and build is asked first, and the others once it has voted: what
 * a `validate` dies of takes one of them, and the rest counts as silent. Who has not answered by half of
 * the time is asked once more, together with who has come meanwhile.
 */
export class PreflightRound {
  readonly poll = new PreflightPoll();
  readonly #hashes: ReadonlyMap<string, string>;
  readonly #scouts = new Map<string, Scout>();
  /** Incarnations that were asked, by address. */
  readonly #sent = new Map<string, Set<string>>();
  #soon: TimerHandle | undefined;
  #untilMs = 0;
  #end: () => void = () => undefined;

  constructor(
    private readonly context: EngineContext,
    private readonly of: {
      readonly consumers: ShardConsumers;
      readonly request: PreflightRequest;
      readonly sheets: readonly Sheet[];
    },
  ) {
    this.#hashes = new Map(of.sheets.map(({ message }) => [message.address, message.hash]));
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
    if (this.#hashes.get(item.address) !== item.hash) return;
    this.poll.vote(from, incarnation, item);
    if (this.poll.isComplete) return this.#end();
    const scouts = [...this.#scouts].filter(([key]) => key.startsWith(`${item.address}\n`));
    const scout = scouts.find(([, { id, isHeard }]) => id === incarnation && !isHeard)?.[1];
    if (scout === undefined) return;
    scout.isHeard = true;
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
    const missing = this.of.sheets.map((sheet) => ({ sheet, ...this.#missing(sheet, whom) }));
    if (this.poll.isComplete) return this.#end();
    const leftMs = this.#untilMs - this.context.clock.monotonicMs();
    const deadlineMs = Math.max(1, Math.floor(leftMs * CONSUMERS_PART));
    void this.#send(missing, deadlineMs).catch((error: unknown) => {
      this.context.log.error('consumers could not be asked', { error: String(error) });
    });
  }

  /** Whom to ask now, and whether others wait for the vote of a scout. */
  #missing({ to }: Sheet, whom: 'first' | 'again'): { names: string[]; isHolding: boolean } {
    const there = consumersAsked(this.of.consumers, to.text, this.of.request);
    for (const one of there) this.poll.ask(one, to.text);
    const missing = there.filter((one) => this.poll.isMissing(one, to.text));
    const mayAsk = missing.filter((one) => this.#mayAsk(one, to.text));
    const sent = this.#sent.get(to.text) ?? new Set();
    this.#sent.set(to.text, sent);
    const names = mayAsk.map(({ id }) => id).filter((id) => whom === 'again' || !sent.has(id));
    for (const id of names) sent.add(id);
    return { names, isHolding: mayAsk.length < missing.length };
  }

  #mayAsk({ ref, build, id }: Incarnation, address: AddressText): boolean {
    const key = `${address}\n${ref.workload}\n${build ?? ''}`;
    const scout = this.#scouts.get(key);
    if (scout === undefined) this.#scouts.set(key, { id, isHeard: false });
    return scout === undefined || scout.isHeard || scout.id === id;
  }

  async #send(
    missing: readonly {
      readonly sheet: Sheet;
      readonly names: readonly string[];
      readonly isHolding: boolean;
    }[],
    deadlineMs: number,
  ): Promise<void> {
    const turns = new Turns(this.context.scheduler);
    for (const { sheet, names, isHolding } of missing) {
      const message = { ...sheet.message, deadlineMs };
      if (names.length > PREPARE_NAMES && !isHolding) {
        this.context.publisher.askToPrepare(sheet.to, message);
        await turns.spent(sheet.message.size);
        continue;
      }
      for (let from = 0; from < names.length; from += PREPARE_NAMES) {
        const only = names.slice(from, from + PREPARE_NAMES);
        this.context.publisher.askToPrepare(sheet.to, { ...message, only });
        await turns.spent(sheet.message.size);
      }
    }
  }
}
