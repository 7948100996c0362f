import { utf8Bytes } from '../json/unicode.js';

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/**
 * MurmurHash3 x86 32-bit (Austin Appleby, public domain) of a text's UTF-8 bytes: an unsigned 32-bit
 * integer. Not for secrets. SDK and control plane share it, so that both see the same cohorts.
 */
export function murmur3(utf8Text: string, seed: number): number {
  const bytes = utf8Bytes(utf8Text);
  const view = new DataView(bytes.buffer);
  const blocks = bytes.length >>> 2;
  let hash = seed | 0;
  for (let block = 0; block < blocks; block += 1) {
    hash ^= scramble(view.getInt32(block * 4, true));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocks * 4; at -= 1) tail = (tail << 8) | (bytes[at] ?? 0);
  return finish(hash ^ scramble(tail) ^ bytes.length);
}

function scramble(block: number): number {
  const mixed = Math.imul(block, C1);
  return Math.imul((mixed << 15) | (mixed >>> 17), C2);
}

function finish(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
