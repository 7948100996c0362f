import { FORMAT, problem } from '@pawl/contracts';
import type { OwnerCommands } from '@pawl/distribution';
import type { Engine } from '@pawl/engine';

/** What any node asks of the owner of a shard, done by this node's engine. */
export function ownerCommands(engine: Pick<Engine, 'sweep'>): OwnerCommands {
  return {
    execute: async (shard, token, command) => {
      const removed = await engine.sweep(shard, token, command.sweep);
      if (removed !== undefined) return { format: FORMAT, ok: true, removed };
      const detail = `This node does not serve shard ${shard} under that token.`;
      return { format: FORMAT, ok: false, problem: problem('no-owner', detail) };
    },
  };
}
