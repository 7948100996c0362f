import type { StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

/**
 * Members of a stream's group are heard about once a second. The leader that is cut off from the others
 * goes on answering as one for another 15 s (nats-server 2.9.10).
 */
const HEARD_WITHIN_NS = 3_000_000_000;

/**
 * Asks JetStream over this connection for a stream: whether it answers within `timeoutMs`, and a
 * majority of the servers that hold the stream reach each other. A stream that does not exist is an
 * answer too. Never rejects.
 */
export async function jetStreamServes(
  connection: NatsConnection,
  stream: string,
  timeoutMs: number,
): Promise<boolean> {
  try {
    const subject = `$JS.API.STREAM.INFO.${stream}`;
    const reply = await connection.request(subject, '', { timeout: timeoutMs });
    const { error, cluster } = reply.json<Partial<StreamInfo> & { error?: { code?: number } }>();
    if (error !== undefined) return error.code !== 503;
    return cluster === undefined || hasMajority(cluster);
  } catch {
    return false;
  }
}

/** The replicas do not count the leader. */
function hasMajority({ leader, replicas = [] }: NonNullable<StreamInfo['cluster']>): boolean {
  if (leader === undefined || leader === '') return false;
  const heard = replicas.filter(({ active }) => active < HEARD_WITHIN_NS).length;
  return 2 * (heard + 1) > replicas.length + 1;
}
