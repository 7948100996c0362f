import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { CONTENT_ENCODING_BROTLI, CONTENT_ENCODING_HEADER, LIMITS } from '@pawl/contracts';
import type { LinkMessage } from '../ports.js';
import { textOf } from './decode-message.js';

const decompress = promisify(brotliDecompress);

/**
 * The text of a content message, decompressed when its header says so. Rejects when it is damaged or
 * would be larger than any effective document.
 */
export async function readContent(message: LinkMessage): Promise<string> {
  if (message.header(CONTENT_ENCODING_HEADER) !== CONTENT_ENCODING_BROTLI) {
    return textOf(message.data);
  }
  return textOf(await decompress(message.data, { maxOutputLength: LIMITS.effectiveBytes }));
}
