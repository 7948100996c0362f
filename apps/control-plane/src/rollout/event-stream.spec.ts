import type { FastifyReply } from 'fastify';
import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { EventStream } from './event-stream.js';

/** A response whose reader takes nothing until `drain`. */
class SlowResponse extends EventEmitter {
  readonly written: string[] = [];
  destroyed = false;
  writableEnded = false;
  blocked = false;

  writeHead(): void {}
  write(text: string): boolean {
    this.written.push(text);
    return !this.blocked;
  }
  end(): void {
    this.writableEnded = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

function slowStream(lastId = 0) {
  const response = new SlowResponse();
  let hijacked = 0;
  const reply = { raw: response, hijack: () => (hijacked += 1) } as unknown as FastifyReply;
  return { stream: new EventStream(reply, lastId), response, hijacked: () => hijacked };
}

it('takes the reply over with the first event only', () => {
  const { stream, response, hijacked } = slowStream();
  stream.idle();
  stream.end();
  expect([hijacked(), response.written]).toEqual([0, []]);
  stream.deliver({ id: 1, data: '{}' });
  stream.deliver({ id: 2, data: '{}' });
  expect(hijacked()).toBe(1);
  expect(response.written.at(-1)).toBe('id: 2\nevent: rollout\ndata: {}\n\n');
});

it('goes on above the last event that the reader has seen, whatever clock numbered it', () => {
  const { stream, response } = slowStream(1_000);
  for (const id of [900, 901, 2_000, 2_000]) stream.deliver({ id, data: '{}' });
  const ids = response.written.join('').match(/(?<=id: )\d+/g);
  expect(ids).toEqual(['1001', '1002', '2000', '2001']);
});

it('skips the states between for a reader that is slow', () => {
  const { stream, response } = slowStream();
  response.blocked = true;
  stream.deliver({ id: 1, data: '"one"' });
  const before = response.written.length;
  for (let id = 2; id <= 1000; id += 1) stream.deliver({ id, data: `"${id}"` });
  expect(response.written.length).toBe(before);
  response.blocked = false;
  response.emit('drain');
  expect(response.written.slice(before)).toEqual(['id: 1000\nevent: rollout\ndata: "1000"\n\n']);
  response.emit('drain');
  expect(response.written.length).toBe(before + 1);
});

it('gives up on a reader that takes nothing for a minute', () => {
  const { stream, response } = slowStream();
  response.blocked = true;
  stream.deliver({ id: 1, data: '{}' });
  for (let idles = 0; idles < 3; idles += 1) stream.idle();
  expect(response.destroyed).toBe(false);
  stream.idle();
  expect(response.destroyed).toBe(true);
});

it('comments while nothing happens', () => {
  const { stream, response } = slowStream();
  stream.deliver({ id: 1, data: '{}' });
  stream.idle();
  expect(response.written.at(-1)).toMatch(/^: .*\n\n$/);
});

it('ends in order, or cuts off a reader that takes nothing: it would hold its place for ever', () => {
  const { stream, response } = slowStream();
  stream.deliver({ id: 1, data: '{}' });
  stream.end();
  expect([response.writableEnded, response.destroyed]).toEqual([true, false]);
  const slow = slowStream();
  slow.response.blocked = true;
  slow.stream.deliver({ id: 1, data: '{}' });
  slow.stream.end();
  expect(slow.response.destroyed).toBe(true);
});
