import { randomInt, randomUUID } from 'node:crypto';
import { seededRng } from '@pawl/kernel';
import type { Clock, Timer } from '@pawl/kernel';
import { NodeStoppedError, RaftNode, lockFolder, openFsFolder } from '@pawl/raft/node';
import type { FolderLock, RaftSettings, StorageFolder } from '@pawl/raft/node';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type {
  LeaseResult,
  MetadataStore,
  MetadataWatch,
  RangeRequest,
  RangeResult,
  Refused,
  StoreStatus,
  TxnResult,
  WatchRequest,
} from '../metadata-store.port.js';
import {
  DEFAULT_STATE_LIMITS,
  MetadataState,
  NO_LEASE,
  checkCommand,
  decodeCommand,
  encodeCommand,
} from '../state/index.js';
import type {
  Command,
  CommandResult,
  LeaseId,
  Refusal,
  Revision,
  StateLimits,
  Txn,
} from '../state/index.js';
import { AwaitedResults } from './awaited-results.js';
import { LeaseKeeper } from './lease-keeper.js';
import { WatchHub } from './watch-hub.js';

export interface MetadataOptions {
  /** The folder that this process takes for itself; made if it is missing. */
  readonly dataDir: string;
  readonly nodeId: string;
  /** Left out: the cluster that the folder belongs to, a new one if it is empty. */
  readonly clusterId?: string;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly limits?: Partial<StateLimits>;
  readonly raft?: Partial<RaftSettings>;
  /** Revisions of history kept at least; older ones are compacted away. */
  readonly keepRevisions?: number;
  readonly maxWatches?: number;
  /** Called once if the store stops by itself, for good: its disk failed. */
  readonly onFailure?: (error: Error) => void;
}

const DEFAULT_KEEP_REVISIONS = 10_000;
const DEFAULT_MAX_WATCHES = 50_000;

/**
 * Opens the metadata store of this process: takes the folder's lock, recovers the log and leads at
 * once. Rejects, with a sentence for people, when the folder is in use, damaged, or not this node's.
 */
export async function openMetadata(options: MetadataOptions): Promise<EmbeddedMetadata> {
  const folder = await openFsFolder(options.dataDir);
  const lock = await lockFolder(options.dataDir);
  try {
    return await EmbeddedMetadata.open(folder, options, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The metadata store on a quorum of this one node. */
export class EmbeddedMetadata implements MetadataStore {
  readonly #node: RaftNode;
  readonly #results: AwaitedResults;
  readonly #state: MetadataState;
  readonly #watches: WatchHub;
  readonly #leases: LeaseKeeper;
  readonly #limits: StateLimits;
  readonly #lock: FolderLock | null;

  private constructor(parts: {
    node: RaftNode;
    results: AwaitedResults;
    state: MetadataState;
    watches: WatchHub;
    leases: LeaseKeeper;
    limits: StateLimits;
    lock: FolderLock | null;
  }) {
    this.#node = parts.node;
    this.#results = parts.results;
    this.#state = parts.state;
    this.#watches = parts.watches;
    this.#leases = parts.leases;
    this.#limits = parts.limits;
    this.#lock = parts.lock;
  }

  /** Opens a store on a folder that the caller has locked; `lock` is released by `close`. */
  static async open(
    folder: StorageFolder,
    options: Omit<MetadataOptions, 'dataDir'>,
    lock: FolderLock | null = null,
  ): Promise<EmbeddedMetadata> {
    const limits = { ...DEFAULT_STATE_LIMITS, ...options.limits };
    const state = new MetadataState(limits);
    const watches = new WatchHub(state, options.maxWatches ?? DEFAULT_MAX_WATCHES);
    const { clock, timer, nodeId, clusterId = null } = options;
    const propose = (command: Command): Promise<CommandResult> =>
      proposeAndWait(node, results, encodeCommand(command));
    const results = new AwaitedResults();
    const leases = new LeaseKeeper({
      clock,
      timer,
      expire: (ids) => propose({ kind: 'lease-expire', ids, term: node.status().term }),
    });
    const compaction = new AutoCompaction(
      state,
      options.keepRevisions ?? DEFAULT_KEEP_REVISIONS,
      propose,
    );
    let started = false;
    const node = await RaftNode.open({
      folder,
      nodeId,
      clusterId,
      founders: [nodeId],
      newId: randomUUID,
      timer,
      rng: seededRng(randomInt(2 ** 32)),
      ...(options.raft === undefined ? {} : { settings: options.raft }),
      machine: {
        apply: (bytes, place) => {
          const command = decodeCommand(bytes);
          const result = state.apply(command, place);
          results.applied(place, result);
          if (!started) return;
          countLeases(leases, command, result);
          watches.applied();
          compaction.consider();
        },
        snapshot: () => state.snapshotChunks(),
        restore: (bytes) => state.restore(bytes),
      },
      events: {
        onStatus: () => undefined,
        onRequest: () => Promise.reject(new Error('this node is alone')),
        onProblem: () => undefined,
        onFailure: (error) => {
          leases.stop();
          results.rejectAll(error);
          watches.fail(unavailable('no', error));
          options.onFailure?.(error);
        },
      },
    });
    started = true;
    leases.start(state.leases);
    return new EmbeddedMetadata({ node, results, state, watches, leases, limits, lock });
  }

  /** Random, made with the folder: tells it from any other folder of the same node id. */
  get folderId(): string {
    return this.#node.identity.folderId;
  }

  get clusterId(): string {
    return this.#node.identity.clusterId;
  }

  /** What recovery found and set right, one sentence each. */
  get notes(): readonly string[] {
    return this.#node.notes;
  }

  async txn(txn: Txn): Promise<TxnResult> {
    const result = await this.#propose({ kind: 'txn', ...txn });
    if (result.kind === 'refused') return refused(result);
    if (result.kind !== 'txn') throw unexpected(result);
    const { revision, succeeded, results } = result;
    return { ok: true, revision, succeeded, results };
  }

  /** Alone, this node has applied all that was ever acknowledged: it need not ask anybody. */
  async range(request: RangeRequest): Promise<RangeResult> {
    this.#checkOpen();
    const { revision = 0, limit = 0 } = request;
    const content = this.#state.range(request, revision, limit);
    if ('refusal' in content) return this.#refuse(content.refusal);
    return { ok: true, revision: this.#state.revision, ...content };
  }

  watch(request: WatchRequest): MetadataWatch {
    this.#checkOpen();
    return this.#watches.open(request);
  }

  async grantLease(ttlMs: number, id: LeaseId = NO_LEASE): Promise<LeaseResult> {
    const result = await this.#propose({ kind: 'lease-grant', id, ttlMs });
    if (result.kind === 'refused') return refused(result);
    if (result.kind !== 'lease') throw unexpected(result);
    return { ok: true, id: result.id, ttlMs };
  }

  async keepAlive(id: LeaseId): Promise<LeaseResult> {
    this.#checkOpen();
    const lives = await this.#leases.renew(id);
    this.#checkOpen();
    const lease = this.#state.lease(id);
    if (!lives || lease === null) return this.#refuse('lease-not-found');
    return { ok: true, id, ttlMs: lease.ttlMs };
  }

  async revokeLease(id: LeaseId): Promise<{ ok: true; revision: Revision } | Refused> {
    return this.#do({ kind: 'lease-revoke', id });
  }

  async compact(revision: Revision): Promise<{ ok: true; revision: Revision } | Refused> {
    return this.#do({ kind: 'compact', revision });
  }

  async status(): Promise<StoreStatus> {
    const { nodeId, leader, term } = this.#node.status();
    const { revision, compactRevision, sizeBytes } = this.#state;
    const { clusterId } = this;
    return { clusterId, members: [nodeId], leader, term, revision, compactRevision, sizeBytes };
  }

  /** Ends watches, finishes what is under way, closes the files and gives the folder back. */
  async close(): Promise<void> {
    this.#leases.stop();
    try {
      await this.#node.stop();
    } finally {
      this.#watches.fail(new MetadataUnavailableError('the store was closed', 'no'));
      await this.#lock?.release();
    }
  }

  async #do(command: Command): Promise<{ ok: true; revision: Revision } | Refused> {
    const result = await this.#propose(command);
    return result.kind === 'refused' ? refused(result) : { ok: true, revision: result.revision };
  }

  /** What is wrong in any state is refused without a place in the log. */
  async #propose(command: Command): Promise<CommandResult> {
    const refusal = checkCommand(command, this.#limits);
    if (refusal !== null) return { kind: 'refused', ...this.#refuse(refusal) };
    const bytes = encodeCommand(command);
    if (bytes.length > this.#limits.requestBytes) {
      return { kind: 'refused', ...this.#refuse('too-large') };
    }
    try {
      return await proposeAndWait(this.#node, this.#results, bytes);
    } catch (error) {
      throw unavailable(error instanceof NodeStoppedError ? 'no' : 'unknown', error);
    }
  }

  #refuse(refusal: Refusal): Refused {
    return { ok: false, refusal, revision: this.#state.revision };
  }

  #checkOpen(): void {
    if (this.#node.status().leader === null)
      throw new MetadataUnavailableError('the store is stopped', 'no');
  }
}

/** Rejects with a {@link NodeStoppedError} when the command surely never is applied. */
function proposeAndWait(
  node: RaftNode,
  results: AwaitedResults,
  command: Uint8Array,
): Promise<CommandResult> {
  const outcome = node.propose(command);
  if (outcome.ok) return results.at(outcome);
  return Promise.reject(new NodeStoppedError(`the proposal was refused: ${outcome.reason}`));
}

/** Proposes a compaction when twice as much history is kept as it must be. */
class AutoCompaction {
  #underWay = false;

  constructor(
    private readonly state: MetadataState,
    private readonly keepRevisions: number,
    private readonly propose: (command: Command) => Promise<CommandResult>,
  ) {}

  consider(): void {
    const { revision, compactRevision } = this.state;
    if (this.#underWay || revision - compactRevision <= 2 * this.keepRevisions) return;
    this.#underWay = true;
    void this.propose({ kind: 'compact', revision: revision - this.keepRevisions })
      .catch(() => undefined)
      .finally(() => {
        this.#underWay = false;
      });
  }
}

function countLeases(leases: LeaseKeeper, command: Command, result: CommandResult): void {
  if (result.kind === 'lease' && command.kind === 'lease-grant') {
    leases.granted({ id: result.id, ttlMs: command.ttlMs });
  } else if (result.kind === 'done') {
    for (const id of result.ids) leases.ended(id);
  }
}

function refused({ refusal, revision }: { refusal: Refusal; revision: Revision }): Refused {
  return { ok: false, refusal, revision };
}

function unavailable(done: 'no' | 'unknown', cause: unknown): MetadataUnavailableError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MetadataUnavailableError(`the metadata store does not answer: ${why}`, done, {
    cause,
  });
}

function unexpected(result: CommandResult): Error {
  return new Error(`the store answered with ${result.kind}`);
}
