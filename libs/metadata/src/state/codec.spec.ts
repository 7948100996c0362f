import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryCommand } from './arbitrary-command.fixture.js';
import { Encoder } from './codec.js';
import { crc32c } from './crc32c.js';
import { MetadataState, decodeCommand, encodeCommand } from './index.js';
import { decodeResult, encodeResult, resultBytes } from './result-codec.js';

describe('commands as bytes', () => {
  it('come back as they were, and have one encoding', () => {
    fc.assert(
      fc.property(arbitraryCommand, (command) => {
        const bytes = encodeCommand(command);
        const decoded = decodeCommand(bytes);
        expect(decoded).toMatchObject(command);
        expect(Buffer.compare(encodeCommand(decoded), bytes)).toBe(0);
      }),
      { numRuns: 10_000 },
    );
  });

  it('are refused by a RangeError, or are again the one encoding, when bytes are changed', () => {
    let [accepted, refused] = [0, 0];
    const damage = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      cut: fc.constantFrom(0, 0, 0, 1, 2, 9),
      surplus: fc.constantFrom(0, 0, 0, 1),
    });
    fc.assert(
      fc.property(arbitraryCommand, damage, (command, { at, byte, cut, surplus }) => {
        const whole = encodeCommand(command);
        const bytes = Uint8Array.of(
          ...whole.subarray(0, whole.length - cut),
          ...new Uint8Array(surplus),
        );
        bytes[at % Math.max(1, bytes.length)] = byte;
        try {
          const decoded = decodeCommand(bytes);
          expect(Buffer.compare(encodeCommand(decoded), bytes)).toBe(0);
          accepted += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          refused += 1;
        }
      }),
      { numRuns: 10_000 },
    );
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(1000);
  });

  it('are refused when they hold transactions too deep', () => {
    const deep = (levels: number): Uint8Array => {
      let command: Parameters<typeof encodeCommand>[0] & { kind: 'txn' } = {
        kind: 'txn',
        compare: [],
        success: [],
        failure: [],
      };
      for (let level = 0; level < levels; level += 1) command = { ...command, success: [command] };
      return encodeCommand(command);
    };
    expect(decodeCommand(deep(128))).toMatchObject({ kind: 'txn' });
    expect(() => decodeCommand(deep(129))).toThrow(/too deep/);
  });
});

describe('an encoder that is used over and over', () => {
  it('gives back the room that something rare took', () => {
    const out = new Encoder();
    const capacity = () => out.reset().u8(1).view().buffer.byteLength;
    expect(out.bytes(new Uint8Array(100_000)).length).toBe(100_004);
    expect(capacity()).toBeGreaterThan(100_000);
    expect(out.reset().bytes(new Uint8Array(1_000_000)).length).toBe(1_000_004);
    expect(capacity()).toBeLessThan(1000);
    expect(out.reset().bytes(Uint8Array.of(7)).done()).toEqual(Uint8Array.of(0, 0, 0, 1, 7));
  });
});

describe('answers as bytes', () => {
  it('come back as they were', () => {
    const state = new MetadataState();
    let index = 0;
    fc.assert(
      fc.property(arbitraryCommand, (command) => {
        index += 1;
        const result = state.apply(decodeCommand(encodeCommand(command)), { index, term: 1 });
        if (index % 50 === 0) state.restore(new MetadataState().snapshot());
        if (index % 50 === 0) index = 0;
        const encoded = encodeResult(result);
        expect(decodeResult(encoded)).toEqual(result);
        expect(resultBytes(result)).toBe(encoded.length);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('CRC-32C', () => {
  /* RFC 3720, appendix B.4. */
  it.each([
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ])('is that of the standard', (bytes, crc) => {
    expect(crc32c(0, bytes)).toBe(crc);
    expect(crc32c(crc32c(0, bytes.subarray(0, 7)), bytes.subarray(7))).toBe(crc);
  });
});
