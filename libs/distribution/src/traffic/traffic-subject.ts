import type { ConsumerRef } from '@pawl/engine';

/** Handler patterns, relative to the installation's prefix. */
export const HELLO_PATTERN = 'hello.*.*.*';
export const ACK_PATTERN = 'ack.*.*.*';
export const VOTE_PATTERN = 'vote.*.*.*';
export const COMMAND_PATTERN = 'command.*.*';

const ROOT = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const PATH_ID = /^[A-Za-z0-9_-]{1,128}$/;
const SHARD = /^(0|[1-9][0-9]{0,5})$/;
const TOKEN = /^[0-9]{1,20}$/;

/** Reads `pawl.<installation>.<kind>.<root>.<workload>.<consumerId>`. */
export function parseConsumerSubject(subject: string): ConsumerRef | undefined {
  const [, , , root, workload, consumerId, ...rest] = subject.split('.');
  if (root === undefined || workload === undefined || consumerId === undefined) return undefined;
  if (rest.length > 0 || !ROOT.test(root)) return undefined;
  if (!PATH_ID.test(workload) || !PATH_ID.test(consumerId)) return undefined;
  return { root, workload, consumerId };
}

/** Reads `pawl.<installation>.command.<shard>.<token>`. */
export function parseCommandSubject(
  subject: string,
): { readonly shard: number; readonly token: bigint } | undefined {
  const [, , , shard, token, ...rest] = subject.split('.');
  if (shard === undefined || token === undefined || rest.length > 0) return undefined;
  if (!SHARD.test(shard) || !TOKEN.test(token)) return undefined;
  return { shard: Number(shard), token: BigInt(token) };
}
