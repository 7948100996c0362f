import { refused } from '@pawl/contracts';
import type { Outcome, OwnerCall, Problem } from '@pawl/contracts';
import type { CommandContext, Written } from '../config-engine.js';

/** One request that has to reach the owner of its shard, wherever that is. */
export interface Errand<T> {
  /** Done by this node, which serves the shard. */
  here(): Promise<Outcome<T>>;
  /** What another node, which owns the shard, is asked. */
  call(): OwnerCall;
  /** Whether it may be sent again after this answer: nothing was done, or once more does nothing more. */
  repeatable(problem: Problem): boolean;
  /** What is told when the owner never answered. */
  unanswered(): Outcome<never>;
}

/** A request that changes nothing. */
export function readErrand<T>(here: () => Promise<Outcome<T>>, call: OwnerCall): Errand<T> {
  return {
    here,
    call: () => call,
    repeatable: ({ code }) => code === 'no-owner',
    unanswered: () => refused('no-owner', 'the owner of this part does not answer; ask again'),
  };
}

/** Covers nothing: keys of the router are random, so no other request ever has one. */
const ROUTED_HASH = '0'.repeat(64);

interface Work<T> {
  readonly here: (context: CommandContext) => Promise<Outcome<Written<T>>>;
  readonly call: (context: CommandContext) => OwnerCall;
  /** A random identifier. */
  readonly newId: () => string;
}

/**
 * A command, done once however often it is sent. One whose caller gave no idempotency key gets one
 * when it is first sent to another node; until then it was done here or not at all, and an outcome
 * that is not known is told.
 */
export class WriteErrand<T> implements Errand<Written<T>> {
  #routed: CommandContext | undefined;

  constructor(
    private readonly context: CommandContext,
    private readonly work: Work<T>,
  ) {}

  /** Whether it bears a key that its caller knows nothing of. */
  get isRouted(): boolean {
    return this.#routed !== undefined;
  }

  here(): Promise<Outcome<Written<T>>> {
    return this.work.here(this.#current);
  }

  call(): OwnerCall {
    if (this.context.idempotency === undefined) {
      this.#routed ??= {
        ...this.context,
        idempotency: { key: `routed ${this.work.newId()}`, requestHash: ROUTED_HASH },
      };
    }
    return this.work.call(this.#current);
  }

  repeatable({ code }: Problem): boolean {
    if (code === 'no-owner') return true;
    if (code === 'still-running') return this.isRouted;
    return code === 'outcome-unknown' && this.#current.idempotency !== undefined;
  }

  unanswered(): Outcome<never> {
    return refused(
      'outcome-unknown',
      'the owner did not answer: read the state again before you repeat this, or repeat it with the same Idempotency-Key',
    );
  }

  get #current(): CommandContext {
    return this.#routed ?? this.context;
  }
}
