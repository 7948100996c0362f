import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { COMPRESS_ABOVE_BYTES, CONTENT_ENCODING_BROTLI, LIMITS } from '@pawl/contracts';

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

/** Quality 4 is as fast as gzip and a quarter smaller; see `content.message.ts` for the wire form. */
const QUALITY = 4;

/** A content as it travels: `encoding` goes into the content-encoding header, `''` for none. */
export interface EncodedContent {
  readonly bytes: Uint8Array;
  readonly encoding: string;
}

/** Compresses, off the event loop, what is large enough; at worst it grows by a few bytes. */
export async function encodeContent(text: string): Promise<EncodedContent> {
  const plain = Buffer.from(text, 'utf8');
  if (plain.length <= COMPRESS_ABOVE_BYTES) return { bytes: plain, encoding: '' };
  const bytes = await compress(plain, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    },
  });
  return { bytes, encoding: CONTENT_ENCODING_BROTLI };
}

/** The text, or `undefined` for bytes that are no content of ours (or larger than one may be). */
export async function decodeContent(content: EncodedContent): Promise<string | undefined> {
  if (content.encoding === '') return Buffer.from(content.bytes).toString('utf8');
  if (content.encoding !== CONTENT_ENCODING_BROTLI) return undefined;
  try {
    const plain = await decompress(content.bytes, { maxOutputLength: LIMITS.effectiveBytes });
    return plain.toString('utf8');
  } catch {
    return undefined;
  }
}
