import { isLoopback, ProblemException } from '@pawl/platform';
import type { FastifyRequest } from 'fastify';
import { isIP } from 'node:net';

export interface GuardOptions {
  /** What the server listens on. */
  readonly host: string;
  /** Further names; `*` allows any. */
  readonly allowedHosts: readonly string[];
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[^:@/]+)(:[0-9]{1,5})?$/i;

/**
 * Keeps web pages away from a server that asks for no password. A page that had its own name
 * resolve to this machine (DNS rebinding) gives itself away by the `Host` header: names other than
 * loopback, IP addresses and those configured are refused. A page of another origin gives itself
 * away by `Origin` or `Sec-Fetch-Site`: it may not write.
 */
export function createRequestGuard(options: GuardOptions): (request: FastifyRequest) => void {
  const names = new Set([options.host.toLowerCase(), ...options.allowedHosts]);
  const anyName = names.has('*');
  const allowed = (host: string): boolean => {
    const name = AUTHORITY.exec(host)?.[1]?.toLowerCase();
    if (name === undefined) return false;
    return isLoopback(name) || isIP(name.replace(/^\[|\]$/g, '')) !== 0 || names.has(name);
  };
  return (request) => {
    const { host, origin, 'sec-fetch-site': site } = request.headers;
    if (host === undefined && request.raw.httpVersion === '1.1') {
      throw ProblemException.of(
        'malformed-request',
        'An HTTP/1.1 request has the header Host (RFC 9112, section 3.2).',
      );
    }
    if (!anyName && host !== undefined && !allowed(host)) {
      throw ProblemException.of(
        'misdirected-request',
        `This server does not answer to the name in the Host header; add it to PAWL_HTTP_ALLOWED_HOSTS if it should.`,
      );
    }
    if (SAFE_METHODS.has(request.method)) return;
    if (site === 'cross-site' || (origin !== undefined && !sameHost(origin, host))) {
      throw ProblemException.of(
        'forbidden-origin',
        'Web pages of other origins may not write here.',
      );
    }
  };
}

function sameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
