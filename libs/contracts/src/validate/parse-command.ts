import { ownerCommandSchema, ownerReplySchema } from '../messages/command.message.js';
import type { OwnerCommand, OwnerReply } from '../messages/command.message.js';
import { compileShape } from './compile-shape.js';

const commandFaults = compileShape(ownerCommandSchema);
const replyFaults = compileShape(ownerReplySchema);

/** Whether a parsed JSON value is a command between nodes; the address's grammar is not looked at. */
export function isOwnerCommand(value: unknown): value is OwnerCommand {
  return commandFaults(value).length === 0;
}

export function isOwnerReply(value: unknown): value is OwnerReply {
  return replyFaults(value).length === 0;
}
