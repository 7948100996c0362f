import { backgroundTimer } from '@pawl/contracts/node';
import { jetStreamServes, type Distribution } from '@pawl/distribution';
import { settledWithin, type Clock } from '@pawl/kernel';

/** A connection of this node to NATS, while there is one. */
export type Link = Pick<Distribution, 'connection'>;

/** How long NATS may take for all of it: a server that stands still keeps its connection. */
const NATS_ROUND_TRIP_MS = 1_000;
/** A server that answers may be without JetStream for so long: the others elect a stream's leader meanwhile. */
export const WITHOUT_JETSTREAM_MS = 12_000;
/** So that what the server itself answered is told in time. */
const JETSTREAM_MS = 400;

/**
 * Asks whether NATS answers this node on every link: with several servers each may be connected to
 * another one. The server itself must answer at once, and through it JetStream for `stream`, which may
 * be without a leader for a while: a server that is cut off from the others answers its clients, and
 * nothing that they send arrives. Never rejects.
 */
export function natsRoundTrip(
  links: readonly Link[],
  stream: string,
  clock: Pick<Clock, 'monotonicMs'>,
): () => Promise<boolean> {
  const trips = links.map((link) => roundTrip(link, stream, clock));
  return async () => {
    const answers = await Promise.all(trips.map((trip) => trip()));
    return answers.every((answered) => answered);
  };
}

/** One round trip at a time, however often is asked while the server stands still. */
function roundTrip(
  link: Link,
  stream: string,
  clock: Pick<Clock, 'monotonicMs'>,
): () => Promise<boolean> {
  let trip: { readonly on: unknown; readonly back: Promise<boolean> } | undefined;
  /** When JetStream answered last; -Infinity: never yet. */
  let servedMs = -Infinity;
  const serves = async (connection: NonNullable<Link['connection']>): Promise<boolean> => {
    const served = await jetStreamServes(connection, stream, JETSTREAM_MS);
    if (served) servedMs = clock.monotonicMs();
    return clock.monotonicMs() - servedMs <= WITHOUT_JETSTREAM_MS;
  };
  return async () => {
    const { connection } = link;
    if (connection === undefined) return false;
    if (trip?.on !== connection) {
      const back = connection.flush().then(
        () => serves(connection),
        () => false,
      );
      const started = { on: connection, back };
      trip = started;
      void back.then(() => (trip = trip === started ? undefined : trip));
    }
    const { back } = trip;
    return (await settledWithin(back, NATS_ROUND_TRIP_MS, backgroundTimer)) && back;
  };
}
