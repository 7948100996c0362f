import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME, FrameReader, oneFrame } from './peer-frame.js';
import { ProtocolError } from './protocol-error.js';

const seed = Number(process.env['PAWL_TEST_SEED'] ?? randomInt(2 ** 31));
const LIMIT = 100_000;

function readAll(reader: FrameReader, chunks: readonly Buffer[]): string[] {
  const read: string[] = [];
  for (const chunk of chunks) {
    for (const { kind, body } of reader.read(chunk)) read.push(`${kind} ${body.toString('hex')}`);
  }
  return read;
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  places.sort((a, b) => a - b);
  return places.slice(1).map((place, at) => bytes.subarray(places[at], place));
}

describe(`frames between peers, with seed ${seed} (PAWL_TEST_SEED)`, () => {
  it('are the same however the stream is cut', () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(30_000).map((length) => new Uint8Array(length).fill(length)),
    );
    const cuts = fc.array(fc.nat(), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(body, { maxLength: 6 }), cuts, (bodies, places) => {
        const stream = Buffer.concat(bodies.map((one) => oneFrame(FRAME.message, one)));
        const wanted = bodies.map((one) => `${FRAME.message} ${Buffer.from(one).toString('hex')}`);
        expect(readAll(new FrameReader(LIMIT), cutAt(stream, places))).toEqual(wanted);
      }),
      { seed, numRuns: 500 },
    );
  });

  it('are whole or refused, whatever arrives, byte by byte too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(2), (noise, how) => {
        const good = oneFrame(FRAME.ping, Buffer.from('good'));
        const bytes = how === 0 ? Buffer.from(noise) : Buffer.concat([good, noise]);
        const chunks = how === 2 ? [...bytes].map((byte) => Buffer.from([byte])) : [bytes];
        const read: string[] = [];
        try {
          const reader = new FrameReader(LIMIT);
          for (const chunk of chunks) read.push(...readAll(reader, [chunk]));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
        if (how === 2)
          expect(read).toEqual([`${FRAME.ping} ${Buffer.from('good').toString('hex')}`]);
      }),
      { seed, numRuns: 5000 },
    );
  });

  it('are refused when one bit differs', () => {
    const frame = oneFrame(FRAME.message, Buffer.from('some content'));
    for (let bit = 0; bit < frame.length * 8; bit += 1) {
      const damaged = Buffer.from(frame);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      let read: string[] = [];
      try {
        read = readAll(new FrameReader(LIMIT), [damaged]);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
      expect(read, `bit ${bit}`).toEqual([]);
    }
  });

  it('are refused above the limit as soon as their length is there, and at the limit are not', () => {
    const frame = oneFrame(FRAME.message, Buffer.alloc(99));
    expect(readAll(new FrameReader(100), [frame])).toHaveLength(1);
    expect(() => readAll(new FrameReader(99), [frame.subarray(0, 8)])).toThrow(/above the limit/);
  });

  it('take memory as they arrive, not as they announce themselves', () => {
    const header = Buffer.alloc(8);
    header.writeUInt32LE(1024 * 1024 * 1024, 0);
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 50 }, () => new FrameReader(2 ** 31));
    for (const reader of readers) expect(readAll(reader, [header, Buffer.alloc(5000)])).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  });
});
