import { ackSchema } from '../messages/ack.message.js';
import type { Ack } from '../messages/ack.message.js';
import { helloReplySchema, helloSchema } from '../messages/hello.message.js';
import type { Hello, HelloReply } from '../messages/hello.message.js';
import { prepareSchema } from '../messages/prepare.message.js';
import type { Prepare } from '../messages/prepare.message.js';
import { pushSchema } from '../messages/push.message.js';
import type { Push } from '../messages/push.message.js';
import { snapshotSchema } from '../messages/snapshot.message.js';
import type { Snapshot } from '../messages/snapshot.message.js';
import { voteSchema } from '../messages/vote.message.js';
import type { Vote } from '../messages/vote.message.js';
import { compileShape } from './compile-shape.js';
import type { ShapeFault } from './compile-shape.js';

/** The type behind each kind of message that travels over NATS. */
export interface Messages {
  readonly snapshot: Snapshot;
  readonly push: Push;
  readonly hello: Hello;
  readonly helloReply: HelloReply;
  readonly ack: Ack;
  readonly prepare: Prepare;
  readonly vote: Vote;
}
export type MessageKind = keyof Messages;

export type ParsedMessage<T> =
  | { readonly ok: true; readonly value: T }
  /** What is wrong, with the JSON Pointer of where. */
  | { readonly ok: false; readonly message: string };

const SHAPES: Readonly<Record<MessageKind, (value: unknown) => readonly ShapeFault[]>> = {
  snapshot: compileShape(snapshotSchema),
  push: compileShape(pushSchema),
  hello: compileShape(helloSchema),
  helloReply: compileShape(helloReplySchema),
  ack: compileShape(ackSchema),
  prepare: compileShape(prepareSchema),
  vote: compileShape(voteSchema),
};

/**
 * Checks that a parsed JSON value is a message of `kind`. Keys that this version does not know are
 * let through. What a schema cannot say (hashes, addresses' grammar) is the caller's to check.
 */
export function parseMessage<K extends MessageKind>(
  kind: K,
  value: unknown,
): ParsedMessage<Messages[K]> {
  const [fault] = SHAPES[kind](value);
  if (fault === undefined) return { ok: true, value: value as Messages[K] };
  return { ok: false, message: `${kind}${fault.pointer} ${fault.message}` };
}
