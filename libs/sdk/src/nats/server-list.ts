import type { NodeConnectionOptions } from '@nats-io/transport-node';

export type ServerList = Pick<NodeConnectionOptions, 'user' | 'pass' | 'token' | 'tls'> & {
  /** `host:port`, at least one. */
  readonly servers: string[];
};

/**
 * Reads servers as users write them: one or several, in a list or separated by commas, each
 * `nats://host:port`, `tls://host:port` or `host:port`, with `user:password@` or `token@` before the
 * host in any of them. Throws a TypeError whose message never repeats a password.
 */
export function parseServers(input: unknown): ServerList {
  const given: unknown[] = Array.isArray(input) ? input : [input];
  const texts = given.flatMap((text) => (typeof text === 'string' ? text.split(',') : [undefined]));
  const urls = texts.map((text, index) => parseUrl(text?.trim(), index + 1));
  if (urls.length === 0) throw new TypeError('there is none');
  const named = urls.find(({ username }) => username !== '');
  return {
    servers: urls.map(({ host }) => host),
    ...(urls.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
    ...(named === undefined ? {} : credentialsOf(named)),
  };
}

function parseUrl(text: string | undefined, position: number): URL {
  const wrong = new TypeError(`server ${position} is not nats://host:port or tls://host:port`);
  if (text === undefined || text === '' || /\s/.test(text)) throw wrong;
  const full = /^[a-z]+:\/\//i.test(text) ? text : `nats://${text}`;
  if (!URL.canParse(full)) throw wrong;
  const url = new URL(full);
  const known = url.protocol === 'nats:' || url.protocol === 'tls:';
  if (!known || url.hostname === '' || !['', '/'].includes(url.pathname)) throw wrong;
  return url;
}

function credentialsOf({ username, password }: URL): Pick<ServerList, 'user' | 'pass' | 'token'> {
  if (password === '') return { token: decodeURIComponent(username) };
  return { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
}
