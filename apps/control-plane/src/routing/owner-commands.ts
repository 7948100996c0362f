import { FORMAT, problem, type Outcome, type OwnerReply } from '@pawl/contracts';
import type { OwnerCommands } from '@pawl/distribution';
import { answerCall, type Engine, type OwnerTarget } from '@pawl/engine';

/** What any node asks of the owner of a shard, done by this node's engine. */
export function ownerCommands(
  engine: Pick<Engine, 'servesUnder' | 'sweep' | 'use'>,
): OwnerCommands {
  return {
    execute: async (target, command) => {
      if (!engine.servesUnder(target)) return noOwner(target);
      if (command.kind === 'call') return reply(await answerCall(engine.use, command));
      const removed = await engine.sweep(target, command.sweep);
      return removed === undefined ? noOwner(target) : reply({ ok: true, value: removed });
    },
  };
}

function reply(outcome: Outcome<unknown>): OwnerReply {
  // JSON has no `undefined`, and an answer has a value.
  return outcome.ok
    ? { format: FORMAT, ok: true, value: outcome.value ?? null }
    : { format: FORMAT, ok: false, problem: outcome.problem };
}

function noOwner({ shard }: OwnerTarget): OwnerReply {
  const detail = `This node does not serve shard ${shard} under that token.`;
  return { format: FORMAT, ok: false, problem: problem('no-owner', detail) };
}
