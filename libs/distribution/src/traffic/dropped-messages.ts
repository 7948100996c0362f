import type { Clock } from '@pawl/kernel';
import { SILENT } from '../connection/logger.js';
import type { DistributionLogger } from '../connection/logger.js';
import { systemClock } from '@pawl/contracts/node';

export type TrafficKind = 'hello' | 'ack' | 'vote' | 'command';
export type DropReason =
  /** Not JSON, not the message it should be, or on a subject that names no consumer. */
  | 'malformed'
  | 'oversized'
  /** Too many are being worked on. */
  | 'overloaded'
  /** The handler failed or took too long. */
  | 'failed';

export interface DroppedMessagesOptions {
  readonly logger?: DistributionLogger;
  readonly clock?: Clock;
  /** Called for each, for a counter. */
  readonly onDrop?: (kind: TrafficKind, reason: DropReason) => void;
}

/** One warning per kind and reason in this time. */
const WARN_EVERY_MS = 10_000;

/** Where messages end that are not answered: counted each, and warned about now and then. */
export class DroppedMessages {
  readonly #logger: DistributionLogger;
  readonly #clock: Clock;
  /** At most one entry per kind and reason. */
  readonly #quiet = new Map<string, { untilMs: number; unreported: number }>();

  constructor(private readonly options: DroppedMessagesOptions = {}) {
    this.#logger = options.logger ?? SILENT;
    this.#clock = options.clock ?? systemClock;
  }

  /** `detail` is only called when it is logged. */
  drop(kind: TrafficKind, reason: DropReason, detail: () => object): void {
    this.options.onDrop?.(kind, reason);
    const key = `${kind} ${reason}`;
    const nowMs = this.#clock.monotonicMs();
    const quiet = this.#quiet.get(key);
    if (quiet !== undefined && nowMs < quiet.untilMs) {
      quiet.unreported += 1;
      return;
    }
    this.#quiet.set(key, { untilMs: nowMs + WARN_EVERY_MS, unreported: 0 });
    const fields = { kind, reason, alsoSinceLast: quiet?.unreported ?? 0, ...detail() };
    this.#logger.warn(fields, 'a message was dropped');
  }
}
