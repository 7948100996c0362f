import type { Provider, Type } from '@nestjs/common';
import { AckController } from './ack.controller.js';
import { CommandController } from './command.controller.js';
import { CONSUMER_TRAFFIC, OWNER_COMMANDS } from './consumer-traffic.js';
import type { ConsumerTraffic, OwnerCommands } from './consumer-traffic.js';
import { DroppedMessages } from './dropped-messages.js';
import { HelloController } from './hello.controller.js';
import { VoteController } from './vote.controller.js';

/** The handlers that a module lists as its controllers. */
export const distributionControllers: Type[] = [
  HelloController,
  AckController,
  VoteController,
  CommandController,
];

/** What the handlers need, as a module's providers. */
export function distributionProviders(parts: {
  readonly traffic: ConsumerTraffic;
  readonly commands: OwnerCommands;
  /** The same that the `PawlNatsServer` has. */
  readonly dropped: DroppedMessages;
}): Provider[] {
  return [
    { provide: CONSUMER_TRAFFIC, useValue: parts.traffic },
    { provide: OWNER_COMMANDS, useValue: parts.commands },
    { provide: DroppedMessages, useValue: parts.dropped },
  ];
}
