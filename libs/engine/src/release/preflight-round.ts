import { PREFLIGHT_MS, PREPARE_NAMES } from '@pawl/contracts';
import type { AddressText, PreflightRequest, VoteItem } from '@pawl/contracts';
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

/**
 * Asks everybody and waits for their votes: until all are there, at most for the request's time. Who has
 * not answered by half of it is asked once more, together with who has come meanwhile.
 */
export class PreflightRound {
  readonly poll = new PreflightPoll();
  readonly #hashes: ReadonlyMap<string, string>;
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
    const timers = [
      timer.after(timeoutMs / 2, () => this.#ask(timeoutMs / 2)),
      timer.after(timeoutMs, this.#end),
    ];
    this.#ask(timeoutMs);
    await all;
    for (const each of timers) each.cancel();
  }

  /** Passes over what is about another document than was asked about. */
  vote(from: ConsumerRef, incarnation: string, item: VoteItem): void {
    if (this.#hashes.get(item.address) !== item.hash) return;
    this.poll.vote(from, incarnation, item);
    if (this.poll.isComplete) this.#end();
  }

  /** Waits no longer. */
  end(): void {
    this.#end();
  }

  #ask(leftMs: number): void {
    const missing = this.of.sheets.map((sheet) => ({ sheet, names: this.#missing(sheet) }));
    if (this.poll.isComplete) return this.#end();
    const deadlineMs = Math.max(1, Math.floor(leftMs * CONSUMERS_PART));
    void this.#send(missing, deadlineMs).catch((error: unknown) => {
      this.context.log.error('consumers could not be asked', { error: String(error) });
    });
  }

  #missing({ to }: Sheet): string[] {
    const there = consumersAsked(this.of.consumers, to.text, this.of.request);
    for (const one of there) this.poll.ask(one, to.text);
    return there.filter((one) => this.poll.isMissing(one, to.text)).map(({ id }) => id);
  }

  async #send(
    missing: readonly { readonly sheet: Sheet; readonly names: readonly string[] }[],
    deadlineMs: number,
  ): Promise<void> {
    const turns = new Turns(this.context.scheduler);
    for (const { sheet, names } of missing) {
      if (names.length === 0) continue;
      const only = names.length > PREPARE_NAMES ? {} : { only: names };
      this.context.publisher.askToPrepare(sheet.to, { ...sheet.message, ...only, deadlineMs });
      await turns.spent(sheet.message.size);
    }
  }
}
