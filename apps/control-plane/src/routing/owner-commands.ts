import { FORMAT, parseAddress, problem, shardOf } from '@pawl/contracts';
import type { Outcome, OwnerReply } from '@pawl/contracts';
import type { OwnerCommands } from '@pawl/distribution';
import { answerCall, type Engine, type OwnerTarget } from '@pawl/engine';

/** What any node asks of the owner of a shard, done by this node's engine. */
export function ownerCommands(
  engine: Pick<Engine, 'servesUnder' | 'sweep' | 'use'>,
  options: {
    /** Of the installation. */
    readonly shards: number;
    /** A call came for another shard than its address's: whoever sent it is no node of this version. */
    readonly onMisdirected: (address: string, target: OwnerTarget) => void;
  },
): OwnerCommands {
  return {
    execute: async (target, command) => {
      if (!engine.servesUnder(target)) return noOwner(target);
      if (command.kind === 'call') {
        const { address } = command;
        if (isElsewhere(address, target, options.shards)) {
          options.onMisdirected(address, target);
          return misdirected(address, target);
        }
        return reply(await answerCall(engine.use, command));
      }
      const removed = await engine.sweep(target, command.sweep);
      return removed === undefined ? noOwner(target) : reply({ ok: true, value: removed });
    },
  };
}

/** The token says who owns the shard that it was sent to, and nothing of any other. */
function isElsewhere(address: string, { shard }: OwnerTarget, shards: number): boolean {
  const parsed = parseAddress(address);
  return parsed.ok && shardOf(parsed.address.root, shards) !== shard;
}

function reply(outcome: Outcome<unknown>): OwnerReply {
  // JSON has no `undefined`, and an answer has a value.
  return outcome.ok
    ? { format: FORMAT, ok: true, value: outcome.value ?? null }
    : { format: FORMAT, ok: false, problem: outcome.problem };
}

function misdirected(address: string, { shard }: OwnerTarget): OwnerReply {
  const detail = `${address} does not belong to shard ${shard}; nothing was done.`;
  return { format: FORMAT, ok: false, problem: problem('malformed-request', detail) };
}

function noOwner({ shard }: OwnerTarget): OwnerReply {
  const detail = `This node does not serve shard ${shard} under that token.`;
  return { format: FORMAT, ok: false, problem: problem('no-owner', detail) };
}
