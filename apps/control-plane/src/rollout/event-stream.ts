import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { RolloutEvent, RolloutListener } from './rollout-feed.js';

/** How many idle signals in a row a reader may leave unread before it is taken for gone. */
const MAX_UNREAD_IDLES = 4;
/** How long a browser waits before it comes back after an end. */
const RETRY_MS = 1_000;

/**
 * Server-sent events (WHATWG HTML §9.2) to one reader. Takes the reply over with the first event. A
 * reader that is slower than the events skips those in between and gets the newest when it can take
 * one; what waits for it is never more than that. Ids are the feed's, but always above the reader's last
 * one, which another node may have given whose clock is ahead.
 */
export class EventStream implements RolloutListener {
  readonly #response: ServerResponse;
  #started = false;
  #blocked = false;
  #unreadIdles = 0;
  #waiting: RolloutEvent | undefined;
  #lastId: number;

  /** `lastId`: of the last event that the reader has seen, on whatever node; 0: none. */
  constructor(
    private readonly reply: FastifyReply,
    lastId = 0,
  ) {
    this.#lastId = lastId;
    this.#response = reply.raw;
  }

  deliver(event: RolloutEvent): void {
    if (!this.#started) this.#start();
    if (this.#blocked) this.#waiting = event;
    else {
      this.#lastId = Math.max(event.id, this.#lastId + 1);
      this.#write(`id: ${this.#lastId}\nevent: rollout\ndata: ${event.data}\n\n`);
    }
  }

  idle(): void {
    if (!this.#started) return;
    if (!this.#blocked) this.#write(': nothing new\n\n');
    else if ((this.#unreadIdles += 1) >= MAX_UNREAD_IDLES) this.#response.destroy();
  }

  /** A reader that takes nothing is cut off: nobody would look after it any more. */
  end(): void {
    if (this.#blocked) this.#response.destroy();
    else if (this.#started) this.#response.end();
  }

  #start(): void {
    this.#started = true;
    this.reply.hijack();
    this.#response.on('drain', () => this.#drained());
    this.#response.on('error', () => this.#response.destroy());
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    this.#write(`retry: ${RETRY_MS}\n\n`);
  }

  #write(text: string): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    this.#blocked = !this.#response.write(text);
  }

  #drained(): void {
    this.#blocked = false;
    this.#unreadIdles = 0;
    const event = this.#waiting;
    this.#waiting = undefined;
    if (event !== undefined) this.deliver(event);
  }
}
