/** UTF-8 bytes of a text. */
export function textToBytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** The text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD. */
export function bytesToText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
