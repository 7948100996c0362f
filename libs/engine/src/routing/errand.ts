import { refused } from '@pawl/contracts';
import type { Outcome, OwnerCall, Problem } from '@pawl/contracts';
import type { Away, CommandContext, Written } from '../config-engine.js';
import { ROUTED_KEY } from '../sharding/truth-store.port.js';
import type { CallMessage } from './owner-calls.port.js';

/** One request that has to reach the owner of its shard, wherever that is. */
export interface Errand<T> {
  /** Done by this node, which serves the shard. */
  here(): Promise<Outcome<T>>;
  /** What another node, which owns the shard, is asked. From then on nothing else of the request is held. */
  message(): CallMessage;
  /** Whether it may be sent again after this answer: nothing was done, or once more does nothing more. */
  repeatable(problem: Problem): boolean;
  /** What is told when the owner never answered. */
  unanswered(): Outcome<never>;
}

/** Does as the owner, on this node, what a message asks for that was made for another. */
export type AnswerMessage = (message: CallMessage) => Promise<Outcome<unknown>>;

/** A request that changes nothing. */
export class ReadErrand<T> implements Errand<T> {
  #work: Work<T> | undefined;
  #message: CallMessage | undefined;

  constructor(
    work: Work<T>,
    private readonly answer: AnswerMessage,
  ) {
    this.#work = work;
  }

  here(): Promise<Outcome<T>> {
    if (this.#message !== undefined) return this.answer(this.#message) as Promise<Outcome<T>>;
    return this.#work?.here() ?? lost();
  }

  message(): CallMessage {
    if (this.#message === undefined) {
      this.#message = asMessage(this.#work?.call());
      this.#work?.away?.();
      this.#work = undefined;
    }
    return this.#message;
  }

  repeatable({ code }: Problem): boolean {
    return code === 'no-owner';
  }

  unanswered(): Outcome<never> {
    return refused('no-owner', 'the owner of this part does not answer; ask again');
  }
}

/** What a request is: a use-case of this node, or a call to another. Both hold the body as it was parsed. */
interface Work<T> {
  readonly here: () => Promise<Outcome<T>>;
  readonly call: () => OwnerCall;
  readonly away?: Away | undefined;
}

/** Covers nothing: keys of the router are random, so no other request ever has one. */
const ROUTED_HASH = '0'.repeat(64);

interface KeyedWork<T> {
  readonly here: (context: CommandContext) => Promise<Outcome<Written<T>>>;
  readonly call: (context: CommandContext) => OwnerCall;
  readonly away?: Away | undefined;
}

/**
 * A command, done once however often it is sent. One whose caller gave no idempotency key gets one
 * when it is first sent to another node; until then it was done here or not at all, and an outcome
 * that is not known is told.
 */
export class WriteErrand<T> implements Errand<Written<T>> {
  #work: KeyedWork<T> | undefined;
  #message: CallMessage | undefined;
  #isRouted = false;

  constructor(
    private readonly context: CommandContext,
    work: KeyedWork<T>,
    private readonly ways: {
      /** A random identifier. */
      readonly newId: () => string;
      readonly answer: AnswerMessage;
    },
  ) {
    this.#work = work;
  }

  /** Whether it bears a key that its caller knows nothing of. */
  get isRouted(): boolean {
    return this.#isRouted;
  }

  here(): Promise<Outcome<Written<T>>> {
    if (this.#message !== undefined) {
      return this.ways.answer(this.#message) as Promise<Outcome<Written<T>>>;
    }
    return this.#work?.here(this.context) ?? lost();
  }

  message(): CallMessage {
    if (this.#message === undefined) {
      this.#message = asMessage(this.#work?.call(this.#keyed()));
      this.#work?.away?.();
      this.#work = undefined;
    }
    return this.#message;
  }

  repeatable({ code }: Problem): boolean {
    if (code === 'no-owner') return true;
    if (code === 'still-running') return this.isRouted;
    const isKeyed = this.isRouted || this.context.idempotency !== undefined;
    return code === 'outcome-unknown' && isKeyed;
  }

  unanswered(): Outcome<never> {
    return refused(
      'outcome-unknown',
      'the owner did not answer: read the state again before you repeat this, or repeat it with the same Idempotency-Key',
    );
  }

  #keyed(): CommandContext {
    if (this.context.idempotency !== undefined) return this.context;
    this.#isRouted = true;
    const idempotency = { key: `${ROUTED_KEY}${this.ways.newId()}`, requestHash: ROUTED_HASH };
    return { ...this.context, idempotency };
  }
}

function asMessage(call: OwnerCall | undefined): CallMessage {
  if (call === undefined) return lost();
  return { json: JSON.stringify(call) };
}

function lost(): never {
  throw new Error('a request is its work, or its message once that was made');
}
