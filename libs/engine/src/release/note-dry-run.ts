import type { Address } from '@pawl/contracts';
import { done, LIMITS } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { CommandRunner } from '../sharding/run-command.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import type { HistoryEntry } from '../sharding/truth-store.port.js';

/** What a gate that stops nothing would have done. */
export interface DryRun {
  readonly releaseId: string;
  readonly stage: number;
  readonly reason: string;
}

/** Writes into the history what gates that stop nothing would have done. */
export class NoteDryRun {
  constructor(
    private readonly context: EngineContext,
    private readonly commands: CommandRunner,
  ) {}

  /** Nothing is written once the release is in another stage. */
  async run(address: Address, { releaseId, stage, reason }: DryRun): Promise<void> {
    const context = { actor: 'pawl' };
    const options = { name: 'note-dry-run', address, mode: 'exclusive', context } as const;
    const outcome = await this.commands.run<undefined>(options, (held) => {
      const { release } = held.tree.get(address) ?? {};
      const staged = release?.staged ?? null;
      const isThere = staged?.id === releaseId && staged.stage === stage;
      const nothing = { status: 200, body: undefined, apply: () => undefined };
      if (!isThere || release === undefined) {
        return Promise.resolve(done({ ...nothing, changes: null }));
      }
      const entry: HistoryEntry = {
        kind: 'release',
        ...{ address: address.text, author: context.actor, action: 'dry-run' },
        at: this.context.formatTime(this.context.clock.wallMs()),
        ...{ releaseVersion: release.releaseVersion, version: staged.candidateVersion },
        message: `${staged.strategy}: stage ${stage + 1} of ${staged.stages.length}`,
        reason: reason.slice(0, LIMITS.messageLength),
        releaseId,
      };
      return Promise.resolve(done({ ...nothing, changes: { ...NO_CHANGES, history: [entry] } }));
    });
    if (!outcome.ok) throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
  }
}
