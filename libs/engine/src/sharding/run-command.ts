import { LockQueueFullError } from '@pawl/kernel';
import { refused } from '@pawl/contracts';
import type { Address, Outcome } from '@pawl/contracts';
import type { CommandContext, Written } from '../config-engine.js';
import { ValidationOverloadedError } from '../config/schema-validator.port.js';
import type { EngineContext } from '../engine-context.js';
import { readOnly, truthBehind, TruthBehindError } from './behind-shards.js';
import { CommitQueueFullError } from './commit-queue.js';
import type { FenceChecks } from './fence-checks.js';
import type { OwnedRoot } from './owned-shard.js';
import { noOwner, truthUnavailable } from './refusals.js';
import type { ShardRegistry } from './shard-registry.js';
import {
  FencedError,
  NO_CHANGES,
  OutcomeUnknownError,
  TruthUnavailableError,
} from './truth-store.port.js';
import type { Changeset, IdempotencyRecord } from './truth-store.port.js';

/** What a command wants written, and what memory becomes once it is. */
export interface Prepared<T> {
  readonly status: number;
  readonly body: T;
  /** `null`: everything is as asked for already. */
  readonly changes: Omit<Changeset, 'root' | 'idempotency'> | null;
  /** Called after the commit, before the answer, without a turn of the event loop between. */
  readonly apply: () => void;
}

export interface CommandOptions {
  /** For metrics: `put-config`, `release`, … */
  readonly name: string;
  readonly address: Address;
  /** `exclusive`: nothing else is written under the root meanwhile. */
  readonly mode: 'shared' | 'exclusive';
  /** It goes before what waits for the root and is not. */
  readonly isUrgent?: boolean;
  readonly context: CommandContext;
}

/** How a command ended. */
interface Ended<T> {
  readonly outcome: Outcome<Written<T>>;
  /** Whether PostgreSQL itself said so under the fence; else memory alone did. */
  readonly sure: boolean;
}

/**
 * Runs every command that writes: finds the owner's memory, orders it among the root's commands,
 * answers repeated idempotency keys, commits once under the fence, and only then changes memory. What
 * is refused, or changes nothing, is answered from memory, and so only under a check of the fence that
 * is asked after that, as a read is.
 */
export class CommandRunner {
  readonly #running = new Set<string>();

  constructor(
    private readonly context: EngineContext,
    private readonly shards: ShardRegistry,
    private readonly fences: FenceChecks,
  ) {}

  async run<T>(
    options: CommandOptions,
    prepare: (root: OwnedRoot) => Promise<Outcome<Prepared<T>>>,
  ): Promise<Outcome<Written<T>>> {
    const startedMs = this.context.clock.monotonicMs();
    const result = await this.#guarded(options, prepare);
    const outcome = result.ok ? (result.value.replayed ? 'replayed' : 'ok') : result.problem.code;
    const durationMs = this.context.clock.monotonicMs() - startedMs;
    this.context.observer.written(options.name, outcome, durationMs);
    return result;
  }

  async #guarded<T>(
    options: CommandOptions,
    prepare: (root: OwnedRoot) => Promise<Outcome<Prepared<T>>>,
  ): Promise<Outcome<Written<T>>> {
    const root = this.shards.rootForWrite(options.address.root);
    if (root === undefined) return noOwner();
    const key = options.context.idempotency?.key;
    if (key !== undefined && this.#running.has(key)) {
      return refused('still-running', 'the first request with this key still runs; ask again');
    }
    if (key !== undefined) this.#running.add(key);
    try {
      const { outcome, sure } = await this.#locked(root, options, prepare);
      return (sure ? undefined : await this.fences.unsure(root.shard)) ?? outcome;
    } catch (error) {
      return this.#failure(root, error);
    } finally {
      if (key !== undefined) this.#running.delete(key);
      this.shards.forgetIfEmpty(root);
    }
  }

  #locked<T>(
    root: OwnedRoot,
    options: CommandOptions,
    prepare: (root: OwnedRoot) => Promise<Outcome<Prepared<T>>>,
  ): Promise<Ended<T>> {
    const work = async (): Promise<Ended<T>> => {
      if (root.uncertain) {
        return surely(
          refused('outcome-unknown', 'an earlier outcome is being looked up; ask again'),
        );
      }
      const unsure = await this.fences.unsureForLong(root.shard);
      return unsure === undefined ? this.#once(root, options, prepare) : surely(unsure);
    };
    const ordered = (): Promise<Ended<T>> =>
      root.lock.run(
        options.mode,
        () => (options.mode === 'shared' ? root.withAddress(options.address, work) : work()),
        options.isUrgent,
      );
    return root.uncertain ? this.shards.reload(root).then(ordered) : ordered();
  }

  async #once<T>(
    root: OwnedRoot,
    options: CommandOptions,
    prepare: (root: OwnedRoot) => Promise<Outcome<Prepared<T>>>,
  ): Promise<Ended<T>> {
    const { idempotency } = options.context;
    if (idempotency !== undefined) {
      const first = await this.context.truth.findIdempotent(root.shard, idempotency.key);
      if (first !== undefined) return surely(replay(first, idempotency.requestHash));
    }
    /* Not before: what the key did is told also while nothing more is written. */
    const unwritable = readOnly(root.shard);
    if (unwritable !== undefined) return surely(unwritable);
    const prepared = await prepare(root);
    if (!prepared.ok) return { outcome: prepared, sure: false };
    const { status, body, changes } = prepared.value;
    const commits = changes !== null || idempotency !== undefined;
    if (commits) {
      const record = idempotency && this.#record(root, idempotency, { status, body });
      const refusal = await this.#commit(root, {
        ...(changes ?? NO_CHANGES),
        root: root.name,
        idempotency: record ?? null,
      });
      if (refusal !== undefined) return surely(refusal);
    }
    prepared.value.apply();
    return { outcome: { ok: true, value: { status, body, replayed: false } }, sure: commits };
  }

  /** Commits; answers the refusal when nothing was written. */
  async #commit(root: OwnedRoot, changeset: Changeset): Promise<Outcome<never> | undefined> {
    const outcome = await this.shards.commit(root, changeset);
    switch (outcome.kind) {
      case 'committed':
        return undefined;
      case 'fenced':
        this.shards.refusedByFence(root.shard);
        return noOwner();
      case 'behind':
        return truthBehind(root.shard.behind);
      case 'conflict':
        this.context.log.error('memory and truth differ; reading the root anew', {
          root: root.name,
          what: outcome.what,
        });
        this.context.observer.incident('memory-differs');
        this.shards.doubt(root);
        return refused('outcome-unknown', 'nothing was written; ask again');
    }
  }

  #record(
    root: OwnedRoot,
    idempotency: NonNullable<CommandContext['idempotency']>,
    answer: { readonly status: number; readonly body: unknown },
  ): IdempotencyRecord {
    return {
      key: idempotency.key,
      root: root.name,
      requestHash: idempotency.requestHash,
      status: answer.status,
      body: JSON.stringify(answer.body),
    };
  }

  #failure(root: OwnedRoot, error: unknown): Outcome<never> {
    if (error instanceof LockQueueFullError) {
      return refused('too-many-requests', `too many requests wait for "${root.name}"; slow down`);
    }
    if (error instanceof CommitQueueFullError) {
      return refused('too-many-requests', `too many writes wait beside "${root.name}"; slow down`);
    }
    if (error instanceof ValidationOverloadedError) return tooMuchValidation();
    if (error instanceof TruthBehindError) return readOnly(root.shard) ?? noOwner();
    if (error instanceof FencedError) {
      this.shards.refusedByFence(root.shard);
      return noOwner();
    }
    if (error instanceof OutcomeUnknownError) {
      return refused(
        'outcome-unknown',
        'PostgreSQL went away during the commit: read the state again before you repeat this, or repeat it with the same Idempotency-Key',
      );
    }
    if (error instanceof TruthUnavailableError) return truthUnavailable();
    throw error;
  }
}

function surely<T>(outcome: Outcome<Written<T>>): Ended<T> {
  return { outcome, sure: true };
}

export function tooMuchValidation(): Outcome<never> {
  return refused('too-many-requests', 'too much is being validated just now; slow down');
}

function replay<T>(first: IdempotencyRecord, requestHash: string): Outcome<Written<T>> {
  if (first.requestHash !== requestHash) {
    return refused(
      'idempotency-key-reused',
      'this Idempotency-Key was used with another request; take a new key for a new request',
    );
  }
  return {
    ok: true,
    value: { status: first.status, body: JSON.parse(first.body) as T, replayed: true },
  };
}
