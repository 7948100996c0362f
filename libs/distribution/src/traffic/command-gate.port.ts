import type { Problem } from '@pawl/contracts';

/** Bounds what commands of other nodes take in memory and in computing before they are done. */
export interface CommandGate {
  /**
   * Begins the work on a command that is so many bytes long within `waitMs`, and resolves when the work
   * has; or does not begin it and resolves to the refusal. Rejects as the work does.
   */
  run(
    command: { readonly bytes: number; readonly waitMs: number },
    work: () => Promise<void>,
  ): Promise<Problem | undefined>;
}

export const ungated: CommandGate = {
  run: async (_, work) => {
    await work();
    return undefined;
  },
};
