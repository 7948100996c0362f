import { FORMAT, problem } from '@pawl/contracts';
import type { OwnerCall, OwnerReply, Outcome, Subjects } from '@pawl/contracts';
import {
  CommandOutcomeUnknownError,
  DistributionUnavailableError,
  NoOwnerError,
} from '@pawl/engine';
import type { CallMessage, OwnerCalls, OwnerTarget } from '@pawl/engine';
import { NatsSilentError, NoRespondersError } from './simulated-nats.js';
import type { NatsConnection, NatsMessage } from './simulated-nats.js';

/** Asks other nodes over the simulated NATS, as `OwnerCommandClient` does over the real one. */
export class SimulatedCalls implements OwnerCalls {
  constructor(
    private readonly connection: NatsConnection,
    private readonly subjects: Subjects,
  ) {}

  async call(
    target: OwnerTarget,
    { json }: CallMessage,
    deadlineMs: number,
  ): Promise<Outcome<unknown>> {
    const subject = this.subjects.command(target.shard, target.token);
    const reply = await this.#request(subject, json, deadlineMs);
    if (!reply.ok && reply.problem.code === 'no-owner') {
      throw new NoOwnerError(reply.problem.detail);
    }
    return reply;
  }

  async #request(subject: string, json: string, deadlineMs: number): Promise<OwnerReply> {
    try {
      const text = await this.connection.request(subject, json, deadlineMs);
      return JSON.parse(text) as OwnerReply;
    } catch (error) {
      if (error instanceof NoRespondersError) throw new NoOwnerError(error.message);
      if (error instanceof NatsSilentError && error.unsent) {
        throw new DistributionUnavailableError(error.message);
      }
      throw new CommandOutcomeUnknownError((error as Error).message, { cause: error });
    }
  }
}

interface Commands {
  execute(target: OwnerTarget, command: OwnerCall): Promise<OwnerReply>;
}

/** Hears commands for shards that this node claims, as `PawlNatsServer` does. */
export class SimulatedCommandServer {
  readonly #claims = new Map<string, () => void>();

  constructor(
    private readonly connection: NatsConnection,
    private readonly subjects: Subjects,
    private readonly commands: Commands,
    private readonly failed: (error: Error) => void,
  ) {}

  claim(shard: number, token: bigint): void {
    const subject = this.subjects.command(shard, token);
    const execute = (message: NatsMessage): void => {
      void this.#execute({ shard, token }, message);
    };
    if (!this.#claims.has(subject)) {
      this.#claims.set(subject, this.connection.subscribe(subject, execute));
    }
  }

  release(shard: number, token: bigint): void {
    const subject = this.subjects.command(shard, token);
    this.#claims.get(subject)?.();
    this.#claims.delete(subject);
  }

  async #execute(target: OwnerTarget, { data, respond }: NatsMessage): Promise<void> {
    let reply: OwnerReply;
    try {
      reply = await this.commands.execute(target, JSON.parse(data) as OwnerCall);
    } catch (error) {
      this.failed(error as Error);
      const refusal = problem('internal', 'the owner failed');
      reply = { format: FORMAT, ok: false, problem: refusal };
    }
    respond?.(JSON.stringify(reply));
  }
}
