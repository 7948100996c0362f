/**
 * A content message holds an effective document's canonical bytes, brotli-compressed when the header
 * below says so; its subject names the SHA-256 of the uncompressed bytes.
 */
export const CONTENT_ENCODING_HEADER = 'Pawl-Content-Encoding';
export const CONTENT_ENCODING_BROTLI = 'br';
/** Contents above this many bytes are compressed. */
export const COMPRESS_ABOVE_BYTES = 1024;
