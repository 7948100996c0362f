import { describe, expect, it } from 'vitest';
import { murmur3 } from './murmur3.js';
import { shardOf } from './shard-of.js';

describe('murmur3', () => {
  /** Vectors in common use among implementations of MurmurHash3 x86 32-bit. */
  it.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['\0\0\0\0', 0, 0x2362f9de],
    ['\0\0\0', 0, 0x85f0b427],
    ['\0\0', 0, 0x30f4c306],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['aa', 0x9747b28c, 0x5d211726],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['ab', 0x9747b28c, 0x74875592],
    ['abc', 0x9747b28c, 0xc84a62dd],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['abc', 0, 0xb3dd93fa],
    ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', 0, 0xee925b90],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    ['\u03c0'.repeat(8), 0x9747b28c, 0xd58063c1],
    ['\u20ac\u{20ccf}b\u2717a', 0, 0xda7915bd],
    ['a'.repeat(256), 0x9747b28c, 0x37405bdc],
  ])('of %j with seed %i is %i', (text, seed, hash) => {
    expect(murmur3(text, seed)).toBe(hash);
  });
});

describe('shardOf', () => {
  it('never changes: roots stay where an earlier release put them', () => {
    expect(['acme', 'acme2', 'globex', 'a', 'z-9'].map((root) => shardOf(root, 64))).toEqual([
      41, 33, 16, 15, 57,
    ]);
  });

  it('spreads roots over every shard', () => {
    const counts = new Array<number>(64).fill(0);
    for (let index = 0; index < 6400; index += 1) counts[shardOf(`root-${index}`, 64)]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(50);
    expect(Math.max(...counts)).toBeLessThan(150);
    expect(shardOf('acme', 1)).toBe(0);
  });
});
