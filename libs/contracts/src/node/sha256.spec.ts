import { describe, expect, it } from 'vitest';
import { ABSENT_HASH } from '../messages/snapshot.message.js';
import { sha256 } from './sha256.js';

describe('sha256', () => {
  /** FIPS 180-2 samples, and one of several bytes per character. */
  it.each([
    ['', ABSENT_HASH],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
  ])('of %j', (text, hash) => {
    expect(sha256(text)).toBe(hash);
  });

  it('is over UTF-8 bytes', () => {
    expect(sha256('é😀')).toBe(sha256(Buffer.from('é😀', 'utf8').toString('utf8')));
    expect(sha256('é')).not.toBe(sha256('e'));
  });
});
