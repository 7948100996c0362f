import { parseAddress, type Address } from '@pawl/contracts';
import { ProblemException } from '@pawl/platform';
import type { FastifyRequest } from 'fastify';

/** The request's path as it was sent: nothing decoded, nothing normalised. */
export function rawPath(request: FastifyRequest): string {
  const url = request.raw.url ?? '';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** The request's query as it was sent, without the question mark. */
export function rawQuery(request: FastifyRequest): string {
  const url = request.raw.url ?? '';
  const query = url.indexOf('?');
  return query < 0 ? '' : url.slice(query + 1);
}

/**
 * The address that follows `/v1/<resource>/` in the raw path. Whatever is not an address to the
 * letter is refused, so that two spellings never mean one address.
 */
export function addressOf(request: FastifyRequest, resource: string): Address {
  const path = rawPath(request);
  if (path.includes('%')) {
    throw ProblemException.of(
      'malformed-address',
      'An address is written as it is: no "%" escapes, "/" and ":" are sent plainly.',
    );
  }
  const prefix = `/v1/${resource}/`;
  if (!path.startsWith(prefix)) throw ProblemException.of('not-found', `Nothing is at ${path}.`);
  const parsed = parseAddress(path.slice(prefix.length));
  if (!parsed.ok) {
    throw ProblemException.of(
      'malformed-address',
      `Not an address: ${parsed.message}. Write it as ${prefix}acme/prod/checkout or ${prefix}acme/prod/checkout:limits.`,
    );
  }
  return parsed.address;
}
