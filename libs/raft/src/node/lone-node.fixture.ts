import { ManualTime, seededRng } from '@pawl/kernel';
import { ListMachine } from '../testing/index.js';
import type { SimulatedFolder } from '../testing/index.js';
import { RaftNode } from './index.js';
import type { RaftSettings } from './index.js';

/** A command that surely is not in the log. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  constructor(readonly reason: string) {
    super(`refused: ${reason}`);
  }
}

/** A node that votes alone, over a folder in memory, and the list that its commands make. */
export class LoneNode {
  readonly machine = new ListMachine();
  readonly failures: Error[] = [];
  node!: RaftNode;
  readonly #waiting = new Map<number, () => void>();
  #failed: (error: Error) => void = () => undefined;
  readonly #failure = new Promise<never>((_, reject) => (this.#failed = reject));

  private constructor() {
    this.#failure.catch(() => undefined);
  }

  static async open(
    folder: SimulatedFolder,
    settings: Partial<RaftSettings> = {},
    ids: { readonly nodeId?: string; readonly clusterId?: string } = {},
  ): Promise<LoneNode> {
    const lone = new LoneNode();
    const { machine } = lone;
    const nodeId = ids.nodeId ?? 'n1';
    let made = 0;
    const time = new ManualTime();
    lone.node = await RaftNode.open({
      folder,
      nodeId,
      clusterId: ids.clusterId ?? null,
      founders: [nodeId],
      newId: () => `id-${(made += 1)}`,
      machine: {
        apply: (command, { index }) => {
          machine.apply(command);
          lone.#waiting.get(index)?.();
        },
        snapshot: () => machine.snapshot(),
        restore: (state) => machine.restore(state),
      },
      events: {
        onStatus: () => undefined,
        onRequest: () => Promise.reject(new Error('nobody asks')),
        onProblem: () => undefined,
        onFailure: (error) => {
          lone.failures.push(error);
          lone.#failed(error);
        },
      },
      clock: time,
      timer: time,
      rng: seededRng(1),
      settings,
    });
    return lone;
  }

  /** Resolves once the command is applied; rejects when it is refused or the node fails. */
  async propose(command: string | Uint8Array): Promise<void> {
    const outcome = this.node.propose(Buffer.from(command));
    if (!outcome.ok) throw new RefusedError(outcome.reason);
    const applied = new Promise<void>((resolve) => this.#waiting.set(outcome.index, resolve));
    await Promise.race([applied, this.#failure]);
  }
}
