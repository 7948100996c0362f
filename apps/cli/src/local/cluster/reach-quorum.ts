import { readFile } from 'node:fs/promises';
import { ClusterCallError, ClusterClient } from '@pawl/metadata/cluster-client';
import type { ClusterMember, ClusterTls, MemberState } from '@pawl/metadata/cluster-client';
import { listEndpoints, parseHostPort } from '@pawl/platform';
import type { CliContext } from '../../context.js';
import { CliError, EXIT } from '../../exit-codes.js';
import { fileReason } from '../../file-reason.js';
import { dataFolder, startCommand } from '../data-folder.js';
import { meantByDefault, nothingRuns, ownNodes } from '../own-nodes.js';

/** Options of every command that talks to the quorum. */
export interface ReachFlags {
  readonly endpoint?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

const DEFAULT_ENDPOINT = '127.0.0.1:7479';
/** A change waits until the leader has carried it out. */
const CALL_TIMEOUT_MS = 15_000;
/** What a member says of itself; one that is down must not hold up the list. */
const STATUS_TIMEOUT_MS = 2_000;

/** A member, and what it says of itself; null: it does not answer. */
export interface ReachedMember extends ClusterMember {
  readonly state: MemberState | null;
}

/** A member refused; the message is its own, in etcd's words. */
export class QuorumRefusal extends CliError {}

/** The quorum by the coordination API of its members. */
export class Quorum {
  private constructor(
    private readonly endpoints: readonly string[],
    private readonly tls: ClusterTls | undefined,
  ) {}

  /** Where `--endpoint` says, else what the nodes in the data folder wrote down that are still there. */
  static async reach(context: CliContext, flags: ReachFlags): Promise<Quorum> {
    const endpoints =
      flags.endpoint === undefined ? await ownEndpoints(context) : listed(flags.endpoint);
    return new Quorum(endpoints, await readTls(flags));
  }

  /** The first member that answers, and knows who leads, does it; refusals are final. */
  async ask<Answer>(work: (client: ClusterClient) => Promise<Answer>): Promise<Answer> {
    const failures: string[] = [];
    let leaderless: QuorumRefusal | undefined;
    for (const endpoint of this.endpoints) {
      try {
        return await this.#at(endpoint, CALL_TIMEOUT_MS, work);
      } catch (error) {
        if (!(error instanceof ClusterCallError)) throw error;
        if (error.outcome === 'refused') throw new QuorumRefusal(error.message);
        if (error.outcome === 'unknown') throw new CliError(error.message);
        if (error.outcome === 'no-leader') leaderless = new QuorumRefusal(error.message);
        else failures.push(error.message);
      }
    }
    if (leaderless !== undefined) throw leaderless;
    throw new CliError(
      `no member of the quorum answers: ${failures.join('; ')}\nname one that runs with --endpoint HOST:PORT, the address of its coordination API, or start Pawl with npm start`,
    );
  }

  /** Asks the leader, whose coordination API is at `endpoint`. */
  async moveLeader(endpoint: string, to: bigint): Promise<void> {
    try {
      await this.#at(endpoint, CALL_TIMEOUT_MS, (client) => client.moveLeader(to));
    } catch (error) {
      throw error instanceof ClusterCallError ? new CliError(error.message) : error;
    }
  }

  async members(): Promise<readonly ReachedMember[]> {
    const { members } = await this.ask((client) => client.members({ withIds: true }));
    return Promise.all(
      members.map(async (member) => ({ ...member, state: await this.#stateOf(member) })),
    );
  }

  async #at<Answer>(
    endpoint: string,
    timeoutMs: number,
    work: (client: ClusterClient) => Promise<Answer>,
  ): Promise<Answer> {
    const tls = this.tls === undefined ? {} : { tls: this.tls };
    const client = new ClusterClient({ endpoint, timeoutMs, ...tls });
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  async #stateOf({ clientAddresses, number }: ClusterMember): Promise<MemberState | null> {
    for (const address of clientAddresses) {
      const state = await this.#at(address, STATUS_TIMEOUT_MS, (client) => client.status()).catch(
        () => null,
      );
      if (state?.number === number) return state;
    }
    return null;
  }
}

/** A member by its name, its number or its peer address. Throws a {@link CliError}. */
export function findMember<M extends ClusterMember>(members: readonly M[], wanted: string): M {
  const found = members.find(
    ({ name, number, peerAddress }) =>
      name === wanted || numberText(number) === wanted || peerAddress === wanted,
  );
  if (found !== undefined) return found;
  const known = members.map(
    ({ name, number, peerAddress }) =>
      `${name === '' ? '' : `${name} `}(${peerAddress}, ${numberText(number)})`,
  );
  throw new CliError(
    `${wanted} is no member of the quorum; name one by its name, its peer address or its id: ${known.join(', ')}`,
  );
}

/** As etcd's clients print it. */
export function numberText(number: bigint): string {
  return number.toString(16);
}

async function ownEndpoints({ env, signal }: CliContext): Promise<readonly string[]> {
  const nodes = await listEndpoints(dataFolder(env));
  const or = '--endpoint HOST:PORT';
  const written = nodes.filter((node) => node.etcd !== undefined);
  if (written.length > 0) {
    const own = await ownNodes(written, { env, or, signal });
    return own.flatMap(({ etcd }) => (etcd === undefined ? [] : [withoutScheme(etcd)]));
  }
  if (nodes.length === 0 && env['PAWL_DATA_DIR']) throw await nothingRuns(env, or);
  const meant = await meantByDefault(nodes, env);
  if (meant === undefined) return [DEFAULT_ENDPOINT];
  throw new CliError(
    `nothing was asked: no member of a quorum runs on ${dataFolder(env)}${meant === null ? '' : `, which belongs to ${meant}`}; start it with ${startCommand(env)}, or name a member with ${or}`,
  );
}

function withoutScheme(url: string): string {
  return url.replace(/^https?:\/\//, '');
}

function listed(text: string): string[] {
  const endpoints = text.split(',').map((one) => withoutScheme(one.trim()));
  for (const endpoint of endpoints) {
    if (parseHostPort(endpoint) === undefined) {
      throw new CliError(`--endpoint must be host:port, not ${endpoint}`, EXIT.usage);
    }
  }
  return endpoints;
}

async function readTls({ cacert, cert, key }: ReachFlags): Promise<ClusterTls | undefined> {
  if (cacert === undefined && cert === undefined && key === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined)) {
    throw new CliError('--cert and --key belong together', EXIT.usage);
  }
  const read = async (file: string | undefined): Promise<Buffer | null> => {
    if (file === undefined) return null;
    try {
      return await readFile(file);
    } catch (error) {
      throw new CliError(`cannot read ${file}: ${fileReason(error)}`, EXIT.usage);
    }
  };
  return { ca: await read(cacert), cert: await read(cert), key: await read(key) };
}
