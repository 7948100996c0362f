import { headers as newHeaders } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { ManualTime } from '@pawl/kernel';
import {
  MAX_MESSAGE_BYTES,
  MessageJoiner,
  PART_BYTES,
  splitMessage,
  type MessagePart,
} from './message-parts.js';

const text = (length: number, seed = 'a'): string => seed.repeat(length);

function joiner() {
  const time = new ManualTime(0);
  const of = new MessageJoiner(time, time);
  /** What came out: the length of a whole message, or how it stands. */
  const add = (part: MessagePart) => {
    const joined = of.add(part);
    return joined.kind === 'whole' ? Buffer.from(joined.data).toString() : joined.kind;
  };
  return { time, add, of };
}

describe('messages in parts', () => {
  it('leave a short one as it is', () => {
    const parts = splitMessage(text(PART_BYTES), 'id');
    expect(parts).toHaveLength(1);
    expect(parts[0]?.headers).toBeUndefined();
    expect(joiner().add(parts[0]!)).toBe(text(PART_BYTES));
  });

  it('are whole again after the last, also cut inside a character, also mixed', () => {
    const [a, b] = [text(200_000, '€'), text(150_000, 'ü')];
    const [first, second] = [splitMessage(a, 'a'), splitMessage(b, 'b')];
    const { add } = joiner();
    expect([first.length, second.length]).toEqual([3, 2]);
    expect(add(first[0]!)).toBe('part');
    expect(add(second[0]!)).toBe('part');
    expect(add(first[1]!)).toBe('part');
    expect(add(second[1]!)).toBe(b);
    expect(add(first[2]!)).toBe(a);
  });

  it.each([
    ['the first', [1, 2]],
    ['one between', [0, 2]],
    ['one, and another comes twice', [0, 0, 1, 2]],
  ])('are broken when %s is lost', (_, order) => {
    const parts = splitMessage(text(3 * PART_BYTES), 'id');
    const { add } = joiner();
    const seen = order.map((index) => add(parts[index]!));
    expect(seen).toContain('broken');
    expect(seen.at(-1)).toBe('broken');
  });

  it('are forgotten when the rest does not come', () => {
    const parts = splitMessage(text(2 * PART_BYTES), 'id');
    const { add, time, of } = joiner();
    expect(add(parts[0]!)).toBe('part');
    time.advance(5_000);
    expect(add(splitMessage(text(3 * PART_BYTES), 'later')[0]!)).toBe('part');
    expect(of.heldBytes).toBe(2 * PART_BYTES);
    time.advance(10_000);
    expect(of.heldBytes).toBe(PART_BYTES);
    expect(add(parts[1]!)).toBe('broken');
    time.advance(5_000);
    expect(of.heldBytes).toBe(0);
  });

  it('are forgotten when nobody listens any more', () => {
    const { add, of } = joiner();
    add(splitMessage(text(2 * PART_BYTES), 'id')[0]!);
    of.close();
    expect(of.heldBytes).toBe(0);
  });

  it('are bounded, each and together', () => {
    const { add } = joiner();
    const data = new Uint8Array(PART_BYTES);
    const forged = (id: string, number: number): MessagePart => {
      const headers = newHeaders();
      headers.set('Pawl-Message', id);
      headers.set('Pawl-Part', `${number}/9999`);
      return { data, headers };
    };
    const most = MAX_MESSAGE_BYTES / PART_BYTES;
    for (let number = 1; number <= most; number += 1)
      expect(add(forged('long', number))).toBe('part');
    expect(add(forged('long', most + 1))).toBe('broken');
    for (let n = 0; n < 4 * most; n += 1) expect(add(forged(`short ${n}`, 1))).toBe('part');
    expect(add(forged('one more', 1))).toBe('broken');
  });
});
