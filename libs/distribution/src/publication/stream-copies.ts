import { JetStreamApiError } from '@nats-io/jetstream';
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { isStreamMissing } from './jetstream-access.js';
import type { WantedStream } from './stream-config.js';

/** What survives the death of one server; a cluster of three can hold it. */
const CLUSTER_COPIES = 3;
/** An even number survives no more deaths than the odd one below it. */
const COPIES = [5, 3, 1] as const;

/** "insufficient resources": comes with 503, the status of what passes by itself. */
const INSUFFICIENT_RESOURCES: number = 10_023;

/** A stream as it is, and why it has no more copies if it has fewer than wanted. */
export interface ProvidedStream {
  readonly info: StreamInfo;
  readonly refusal: string | null;
}

/** How many copies of each stream there should be. */
export function wantedCopies(given: number | undefined, clustered: boolean): number {
  return given ?? (clustered ? CLUSTER_COPIES : 1);
}

/**
 * Makes a stream with as many copies as wanted, or with fewer when the servers refuse that many: too
 * few of them may run just now, and one copy is better than none.
 */
export function addStream(
  manager: JetStreamManager,
  wanted: WantedStream,
  copies: number,
): Promise<ProvidedStream> {
  const add = (num_replicas: number): Promise<StreamInfo> =>
    manager.streams.add({ ...wanted, num_replicas });
  return withMost(copies, undefined, add);
}

/**
 * Raises a stream to as many copies as wanted, or to as many as the servers allow. Never lowers: nodes
 * that want different numbers would undo what the others do.
 */
export function raiseCopies(
  manager: JetStreamManager,
  info: StreamInfo,
  copies: number,
): Promise<ProvidedStream> {
  const raise = (num_replicas: number): Promise<StreamInfo> =>
    manager.streams.update(info.config.name, { num_replicas });
  return withMost(copies, info, raise);
}

/** The most copies that the servers allow of those wanted; `held`, as it is, has what they allow at least. */
async function withMost(
  copies: number,
  held: StreamInfo | undefined,
  make: (copies: number) => Promise<StreamInfo>,
): Promise<ProvidedStream> {
  const before = held?.config.num_replicas ?? 0;
  let refusal: string | null = null;
  for (const count of COPIES.filter((each) => each <= copies && each > before)) {
    try {
      return { info: await make(count), refusal };
    } catch (error) {
      if (!isRefusal(error) || (held === undefined && count === 1)) throw error;
      refusal ??= error.message;
    }
  }
  if (held === undefined) throw new RangeError(`a stream cannot have ${copies} copies`);
  return { info: held, refusal };
}

/** What operators should know of the copies; `null`: they are as many as wanted, and enough. */
export function shortOfCopies(
  provided: readonly ProvidedStream[],
  { wanted, clustered }: { readonly wanted: number; readonly clustered: boolean },
): string | null {
  const short = provided.filter(({ info }) => info.config.num_replicas < wanted);
  const says = ({ info: { config }, refusal }: ProvidedStream): string =>
    `${config.name} has ${config.num_replicas} of ${wanted} copies${refusal === null ? '' : ` (${refusal})`}`;
  if (short.length > 0) return short.map(says).join('; ');
  const single = provided.filter(({ info }) => clustered && info.config.num_replicas === 1);
  if (single.length === 0) return null;
  const names = single.map(({ info }) => info.config.name).join(', ');
  return `only one server of the NATS cluster holds ${names}: without it nothing is published (PAWL_NATS_REPLICAS)`;
}

/** The servers can do as they are, but not what was asked for. */
function isRefusal(error: unknown): error is JetStreamApiError {
  if (!(error instanceof JetStreamApiError) || isStreamMissing(error)) return false;
  return error.status !== 503 || error.code === INSUFFICIENT_RESOURCES;
}
