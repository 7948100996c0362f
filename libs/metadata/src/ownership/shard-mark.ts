import type { ShardMark } from '@pawl/engine';
import { bytesToText, textToBytes } from '../text.js';

/**
 * How far each shard's truth had come: not under a lease, and outside what every node watches, since
 * only the next claim of the shard reads it.
 */
const MARKS = 'pawl.marks/';

/** The range of all of them. */
export const ALL_MARKS = { key: textToBytes(MARKS), rangeEnd: textToBytes('pawl.marks0') };

export function markKey(shard: number): Uint8Array {
  return textToBytes(`${MARKS}${shard}`);
}

export function encodeMark({ generation, token, commits }: ShardMark): Uint8Array {
  const record = { generation, token: String(token), commits: String(commits) };
  return textToBytes(JSON.stringify(record));
}

/** Null when somebody wrote something else there: then nothing is remembered. */
export function decodeMark(value: Uint8Array | undefined): ShardMark | null {
  if (value === undefined) return null;
  try {
    const record = JSON.parse(bytesToText(value)) as Partial<Record<string, unknown>> | null;
    const { generation, token, commits } = record ?? {};
    if (!Number.isSafeInteger(generation) || !isCount(token) || !isCount(commits)) return null;
    return {
      generation: generation as number,
      token: BigInt(token),
      commits: BigInt(commits),
    };
  } catch {
    return null;
  }
}

/** A count of at most 63 bits, decimal. */
function isCount(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,19}$/.test(value) && BigInt(value) < 2n ** 63n;
}
