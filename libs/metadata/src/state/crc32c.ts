/** Castagnoli's polynomial with its bits reversed, as in RFC 3720. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? POLYNOMIAL : 0);
  return crc;
});

/** CRC-32C of what `crc` (0 at first) stands for, followed by `bytes`; 32 bits, not negative. */
export function crc32c(crc: number, bytes: Uint8Array): number {
  let state = ~crc;
  for (let at = 0; at < bytes.length; at += 1) {
    state = (state >>> 8) ^ (TABLE[(state ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  }
  return ~state >>> 0;
}
