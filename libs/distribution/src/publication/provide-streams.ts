import { JetStreamApiError } from '@nats-io/jetstream';
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { parseMessage } from '@pawl/contracts/validate';
import type { DistributionLogger } from '../connection/logger.js';
import { isStreamMissing } from './jetstream-access.js';
import { differences, ownerIn } from './stream-config.js';
import type { WantedStream, WantedStreams } from './stream-config.js';
import { addStream, raiseCopies } from './stream-copies.js';
import type { ProvidedStream } from './stream-copies.js';
import { ForeignStreamError, StreamSetupError } from './stream-setup-error.js';

/**
 * A server that says a stream is deleted still deletes its files for a moment, and takes those of a
 * new stream of the same name with them (nats-server 2.9.10): a stream is not made anew before this.
 */
export const SETTLE_MS = 500;

export interface ProvideOptions {
  readonly wanted: WantedStreams;
  /** How many copies of each there should be: fewer are no failure, more are left. */
  readonly copies: number;
  /** `<name>/<id>`: whose the streams are to be. */
  readonly installation: string;
  /** `<name>/<id>` of the one installation whose streams may be emptied and taken. */
  readonly adopt: string | undefined;
  /** Whether a stream of this name was there before. */
  readonly existed: (name: string) => boolean;
  readonly logger: DistributionLogger;
}

interface FoundStream {
  readonly wanted: WantedStream;
  /** `undefined`: it is not there. */
  readonly info: StreamInfo | undefined;
  /** `undefined`: nobody's, as far as can be seen. */
  readonly owner: string | undefined;
}

/**
 * Makes the streams that are missing, and makes those that exist as wanted. Looks at both before it
 * changes either: when one is another installation's, neither is touched, and it throws a
 * {@link ForeignStreamError}, unless that installation is the one to adopt. Throws a
 * {@link StreamSetupError} when the server refuses what is wanted.
 *
 * Adoption empties a stream before it describes it as ours, and takes the contents before the
 * snapshots, which say whose a stream without a description is: wherever it is interrupted, the next
 * start finds what is left to adopt.
 */
export async function provideStreams(
  manager: JetStreamManager,
  options: ProvideOptions,
): Promise<readonly ProvidedStream[]> {
  const contents = await look(manager, options.wanted.contents, options);
  const snapshots = await look(manager, options.wanted.snapshots, options);
  const found = [contents, { ...snapshots, owner: await ownerOf(manager, snapshots) }];
  const foreign = found.filter((each) => isForeign(each, options));
  for (const { wanted, owner = '' } of foreign) {
    if (owner !== options.adopt)
      throw new ForeignStreamError(wanted.name, owner, options.installation);
  }
  const provided: ProvidedStream[] = [];
  for (const each of found) {
    const adopts = foreign.length > 0 && each.owner !== options.installation;
    provided.push(
      await unlessRefused(each, async () => {
        if (adopts) await empty(manager, each, options);
        return provide(manager, each, options.copies);
      }),
    );
  }
  return provided;
}

async function look(
  manager: JetStreamManager,
  wanted: WantedStream,
  { existed }: ProvideOptions,
): Promise<FoundStream> {
  let info = await infoOf(manager, wanted.name);
  if (info === undefined && existed(wanted.name)) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    info = await infoOf(manager, wanted.name);
  }
  return { wanted, info, owner: ownerIn(info?.config.description) };
}

function isForeign({ owner }: FoundStream, { installation }: ProvideOptions): boolean {
  return owner !== undefined && owner !== installation;
}

/**
 * By its description, else by the oldest snapshot in it: whoever came later on the same subjects is
 * newer. What is no snapshot is nobody's.
 */
async function ownerOf(
  manager: JetStreamManager,
  { wanted, info, owner }: FoundStream,
): Promise<string | undefined> {
  if (owner !== undefined || info === undefined || info.state.messages === 0) return owner;
  const oldest = await manager.streams.getMessage(wanted.name, { seq: info.state.first_seq });
  if (oldest === null) throw new Error(`stream ${wanted.name} changed while it was looked at`);
  const parsed = parseMessage('snapshot', jsonOf(oldest.data));
  return parsed.ok ? parsed.value.installation : undefined;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** Deletes what was there when it was looked at: nothing that a node of ours stored since then. */
async function empty(
  manager: JetStreamManager,
  { wanted, info }: FoundStream,
  { adopt, logger }: ProvideOptions,
): Promise<void> {
  if (info === undefined || info.state.messages === 0) return;
  const { purged } = await manager.streams.purge(wanted.name, { seq: info.state.last_seq + 1 });
  const fields = { stream: wanted.name, owner: adopt, purged };
  logger.warn(fields, 'a stream of another installation was emptied, to be adopted');
}

async function provide(
  manager: JetStreamManager,
  { wanted, info }: FoundStream,
  copies: number,
): Promise<ProvidedStream> {
  if (info === undefined) return addStream(manager, wanted, copies);
  const wrong = differences(wanted, info.config);
  const isRight = Object.keys(wrong).length === 0;
  const right = isRight ? info : await manager.streams.update(wanted.name, wrong);
  return raiseCopies(manager, right, copies);
}

async function unlessRefused<T>({ wanted }: FoundStream, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.status === 503) throw error;
    throw new StreamSetupError(
      `stream ${wanted.name} cannot be made as Pawl needs it: ${error.message}`,
      { cause: error },
    );
  }
}

function infoOf(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  return manager.streams.info(name).catch((error: unknown) => {
    if (isStreamMissing(error)) return undefined;
    throw error;
  });
}
