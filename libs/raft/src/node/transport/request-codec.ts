import type { ByteWriter } from '../bytes.js';
import { ByteReader } from '../bytes.js';
import { ProtocolError } from './protocol-error.js';

/** What a request or a response takes in a frame beside what the hosts say. */
export const REQUEST_OVERHEAD = 8;
export const RESPONSE_OVERHEAD = 9;

export interface Request {
  readonly id: number;
  readonly content: Uint8Array;
}

export interface Response extends Request {
  /** An answer; otherwise a failure, and the content is why. */
  readonly ok: boolean;
}

export function writeRequest(writer: ByteWriter, { id, content }: Request): void {
  writer.u64(id).raw(content);
}

/** Independent of the bytes read from. */
export function readRequest(body: Buffer): Request {
  if (body.length < REQUEST_OVERHEAD) throw new ProtocolError('a request that is cut off');
  return { id: readId(body), content: new Uint8Array(body.subarray(REQUEST_OVERHEAD)) };
}

export function writeResponse(writer: ByteWriter, { id, ok, content }: Response): void {
  writer.u64(id).u8(Number(ok)).raw(content);
}

/** Independent of the bytes read from. */
export function readResponse(body: Buffer): Response {
  if (body.length < RESPONSE_OVERHEAD) throw new ProtocolError('a response that is cut off');
  const flag = body.readUInt8(REQUEST_OVERHEAD);
  if (flag > 1) throw new ProtocolError('a response that is neither an answer nor a failure');
  const content = new Uint8Array(body.subarray(RESPONSE_OVERHEAD));
  return { id: readId(body), ok: flag === 1, content };
}

function readId(body: Buffer): number {
  try {
    return new ByteReader(body).u64();
  } catch (cause) {
    throw new ProtocolError('an impossible number', { cause });
  }
}
