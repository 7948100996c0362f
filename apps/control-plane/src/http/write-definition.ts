import { LIMITS, type Address, type Outcome, type WrittenView } from '@pawl/contracts';
import type { ConfigEngine, WriteOptions, Written } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendWritten } from './answers.js';
import { commandContext, plainText } from './command-context.js';
import { conditionalHeaders, entityTag } from './preconditions.js';
import { Query } from './query.js';
import { writePrecondition } from './write-precondition.js';

/** Everything besides the body that a write of a definition says. */
export async function writeOptions(
  request: FastifyRequest,
  engine: Pick<ConfigEngine, 'getConfig'>,
  write: { readonly address: Address; readonly body: string },
): Promise<WriteOptions> {
  const message = new Query(request, ['message']).raw('message');
  const context = commandContext(request, write.body);
  const headers = conditionalHeaders(request);
  return {
    address: write.address,
    precondition: await writePrecondition(headers, engine, write.address),
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
