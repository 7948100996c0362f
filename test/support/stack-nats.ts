import { connect, type NatsConnection } from '@nats-io/transport-node';
import {
  parseAddress,
  snapshotHash,
  subjectsOf,
  type Address,
  type Snapshot,
} from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';

export const SUBJECTS = subjectsOf('main');

export function addressOf(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new TypeError(parsed.message);
  return parsed.address;
}

/** Lends a NATS connection of its own to `work`. */
export async function withNats<T>(
  url: string,
  work: (connection: NatsConnection) => Promise<T>,
): Promise<T> {
  const connection = await connect({ servers: url });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** The snapshot that JetStream holds of an address; `undefined` when it holds none. */
export async function storedSnapshot(url: string, address: string): Promise<Snapshot | undefined> {
  const subject = SUBJECTS.snapshot(addressOf(address));
  return withNats(url, async (connection) => {
    const api = `$JS.API.DIRECT.GET.${SUBJECTS.snapshotStream}.${subject}`;
    const reply = await connection.request(api, undefined, { timeout: 5_000 });
    return reply.headers?.code === 404 ? undefined : reply.json<Snapshot>();
  });
}

/** The snapshot with changes, and with the hash that belongs to them. */
export function forge(snapshot: Snapshot, changes: Partial<Snapshot>): Snapshot {
  const forged = { ...snapshot, ...changes };
  return { ...forged, hash: snapshotHash(forged, sha256) };
}

/** A push that carries a snapshot, as text. */
export function pushOf(snapshot: Snapshot): string {
  const { format, address, generation, version, hash } = snapshot;
  return JSON.stringify({ format, address, generation, version, hash, snapshot });
}
