import { LIMITS, type Address, type Outcome, type WrittenView } from '@pawl/contracts';
import type { ConfigEngine, Precondition, WriteOptions, Written } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendWritten } from './answers.js';
import { commandContext, plainText } from './command-context.js';
import { conditionalHeaders, entityTag } from './preconditions.js';
import { Query } from './query.js';
import { statedPrecondition, writePrecondition } from './write-precondition.js';

/** What a write expects, where it takes a look at the newest version: before its turn, which others wait for. */
export async function lookedUpPrecondition(
  request: FastifyRequest,
  engine: Pick<ConfigEngine, 'getConfig'>,
  address: Address,
): Promise<Precondition | undefined> {
  const { 'if-none-match': noneMatch } = request.headers;
  if (noneMatch === undefined || noneMatch.trim() === '*') return undefined;
  return writePrecondition(conditionalHeaders(request), engine, address);
}

/** Everything besides the body that a write of a definition says. */
export function writeOptions(
  request: FastifyRequest,
  write: {
    readonly address: Address;
    readonly body: string;
    readonly lookedUp: Precondition | undefined;
  },
): WriteOptions {
  const message = new Query(request, ['message']).raw('message');
  const context = commandContext(request, write.body);
  const headers = conditionalHeaders(request);
  return {
    address: write.address,
    precondition: write.lookedUp ?? statedPrecondition(headers),
    ...(message === undefined || message === ''
      ? {}
      : { message: plainText('?message=', message, LIMITS.messageLength) }),
    context,
  };
}

/** The answer to a write of a definition: its tag, and where it is when it is the first. */
export function sendDefinition(
  reply: FastifyReply,
  resource: 'config' | 'schema',
  outcome: Outcome<Written<WrittenView>>,
): void {
  if (outcome.ok) {
    const { status, body } = outcome.value;
    reply.header('etag', entityTag(body.version));
    if (status === 201) reply.header('location', `/v1/${resource}/${body.address}`);
  }
  sendWritten(reply, outcome);
}
