import { ProblemError, UnreachableError } from '@pawl/admin-client';
import type { RolloutView, StagedView } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { NotRunningError } from '../local/own-nodes.js';

/** How long the strategies are waited for: the rollout is told without them where PostgreSQL is down. */
const PATIENCE_MS = 2_000;

/** What the addresses of the releases under way tell of them: strategy and gates, which do not change. */
export class StagedReleases {
  readonly #known = new Map<string, StagedView | undefined>();

  constructor(private readonly context: CliContext) {}

  /** By id; a release is asked for once, and one that is not told is left out. */
  async of({ releases = [] }: RolloutView): Promise<ReadonlyMap<string, StagedView | undefined>> {
    for (const { id, address } of releases) {
      if (!this.#known.has(id)) this.#known.set(id, await this.#ask(id, address));
    }
    return this.#known;
  }

  async #ask(id: string, address: string): Promise<StagedView | undefined> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const signal = AbortSignal.any([patience, this.context.signal]);
    try {
      const client = await this.context.client(signal);
      const { staged } = await client.getRelease(address);
      return staged?.id === id ? staged : undefined;
    } catch (error) {
      if (signal.aborted || isAway(error)) return undefined;
      throw error;
    }
  }
}

function isAway(error: unknown): boolean {
  return (
    error instanceof ProblemError ||
    error instanceof UnreachableError ||
    error instanceof NotRunningError
  );
}
