import { headers as newHeaders } from '@nats-io/transport-node';
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import type { Clock, Timer, TimerHandle } from '@pawl/kernel';

/** A message of at most this many bytes travels as it is; a longer one in parts of so many. */
export const PART_BYTES = 256 * 1024;
/** A longer message is not sent, and not put together. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/** What all messages that are being put together may hold. */
const MAX_HELD_BYTES = 4 * MAX_MESSAGE_BYTES;
/** Parts follow each other at once; a message whose sender went away is forgotten after this. */
const FORGET_MS = 15_000;

const MESSAGE = 'Pawl-Message';
const PART = 'Pawl-Part';
const PART_FORM = /^([1-9][0-9]{0,3})\/([1-9][0-9]{0,3})$/;

/** One part of a message; without headers where it is the whole. */
export interface MessagePart {
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs;
}

/** The parts of a message, in order; `id` tells it from others that go to the same place meanwhile. */
export function splitMessage(text: string, id: string): readonly MessagePart[] {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= PART_BYTES) return [{ data: bytes }];
  const count = Math.ceil(bytes.length / PART_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const headers = newHeaders();
    headers.set(MESSAGE, id);
    headers.set(PART, `${index + 1}/${count}`);
    return { data: bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES), headers };
  });
}

interface Incoming {
  readonly startedMs: number;
  readonly parts: Uint8Array[];
  bytes: number;
}

export type Joined =
  | { readonly kind: 'whole'; readonly data: Uint8Array }
  /** More is to come. */
  | { readonly kind: 'part' }
  /** A part is missing, or the message is too long: it will never be whole. */
  | { readonly kind: 'broken' };

/** Puts messages together again from parts that arrive in order, within a bound of memory. */
export class MessageJoiner {
  readonly #incoming = new Map<string, Incoming>();
  #heldBytes = 0;
  #forgetting: TimerHandle | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly timer: Timer,
  ) {}

  /** Of messages of which more is to come. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Forgets what is not whole. */
  close(): void {
    this.#forgetting?.cancel();
    this.#forgetting = undefined;
    this.#incoming.clear();
    this.#heldBytes = 0;
  }

  add({ data, headers }: Pick<Msg, 'data' | 'headers'>): Joined {
    const form = PART_FORM.exec(headers?.get(PART) ?? '');
    if (form === null) return { kind: 'whole', data };
    const id = headers?.get(MESSAGE) ?? '';
    const [number, count] = [Number(form[1]), Number(form[2])];
    const message = this.#message(id, number, count);
    if (message === undefined) return { kind: 'broken' };
    this.#take(message, data);
    if (this.#heldBytes > MAX_HELD_BYTES || message.bytes > MAX_MESSAGE_BYTES) {
      this.#forget(id, message);
      return { kind: 'broken' };
    }
    if (number < count) return { kind: 'part' };
    this.#forget(id, message);
    return { kind: 'whole', data: Buffer.concat(message.parts) };
  }

  /** The message that this part continues; `undefined` when it does not. */
  #message(id: string, number: number, count: number): Incoming | undefined {
    const known = this.#incoming.get(id);
    if (number === 1 && known === undefined && count > 1) {
      const fresh = { startedMs: this.clock.monotonicMs(), parts: [], bytes: 0 };
      this.#incoming.set(id, fresh);
      this.#forgetLater();
      return fresh;
    }
    if (known !== undefined && number === known.parts.length + 1 && number <= count) return known;
    if (known !== undefined) this.#forget(id, known);
    return undefined;
  }

  #take(message: Incoming, data: Uint8Array): void {
    message.parts.push(data);
    message.bytes += data.length;
    this.#heldBytes += data.length;
  }

  #forget(id: string, message: Incoming): void {
    this.#incoming.delete(id);
    this.#heldBytes -= message.bytes;
  }

  /** The oldest, when its time has come. */
  #forgetLater(): void {
    const [oldest] = this.#incoming.values();
    if (this.#forgetting !== undefined || oldest === undefined) return;
    const inMs = oldest.startedMs + FORGET_MS - this.clock.monotonicMs();
    this.#forgetting = this.timer.after(Math.max(0, inMs), () => {
      this.#forgetting = undefined;
      this.#forgetOld();
      this.#forgetLater();
    });
  }

  #forgetOld(): void {
    const before = this.clock.monotonicMs() - FORGET_MS;
    for (const [id, message] of this.#incoming) {
      if (message.startedMs > before) return;
      this.#forget(id, message);
    }
  }
}
