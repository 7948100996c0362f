import type { Ack, Hello, HelloReply, OwnerCommand, OwnerReply, Vote } from '@pawl/contracts';
import type { ConsumerRef, OwnerTarget } from '@pawl/engine';

/** What consumers say, checked and decoded; `ConfigEngine` is one. */
export interface ConsumerTraffic {
  /** `undefined`: this node does not own the root's shard, and gives no answer. */
  hello(from: ConsumerRef, hello: Hello): Promise<HelloReply | undefined>;
  /** Called very often; must not block. */
  ack(from: ConsumerRef, ack: Ack): void;
  /** The same. */
  vote(from: ConsumerRef, vote: Vote): void;
}

/** What other nodes ask of the owner of a shard. */
export interface OwnerCommands {
  /** Refuses with the code `no-owner` when this node does not own the shard under that token. */
  execute(target: OwnerTarget, command: OwnerCommand): Promise<OwnerReply>;
}

/** Injection tokens of the two. */
export const CONSUMER_TRAFFIC = Symbol('ConsumerTraffic');
export const OWNER_COMMANDS = Symbol('OwnerCommands');
