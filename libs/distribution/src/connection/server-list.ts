/** Where to connect and as whom. */
export interface ServerList {
  /** `host:port` with an optional scheme, without user information. At least one. */
  readonly servers: string[];
  /** Set when the scheme asks for it (`tls://`). */
  readonly tls?: Record<string, never>;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
}

const URL_SHAPE = /^(?:(?<scheme>[a-z]+):\/\/)?(?:(?<user>[^@]*)@)?(?<host>[^@\s/]+)\/?$/;
const SCHEMES = ['nats', 'tls'];

/**
 * Reads one NATS URL or several, as a list or separated by commas: `nats://user:pass@host:4222`,
 * `nats://token@host`, `tls://host`, `host:port`. Credentials may stand in any of them and hold for
 * all. Throws a TypeError that never repeats a password.
 */
export function parseServerList(input: string | readonly string[]): ServerList {
  const texts = (typeof input === 'string' ? input.split(',') : input)
    .map((text) => text.trim())
    .filter((text) => text !== '');
  if (texts.length === 0) throw new TypeError('no NATS server is given');
  let list: Omit<ServerList, 'servers'> = {};
  const servers = texts.map((text, index) => {
    const { scheme, user, host } = URL_SHAPE.exec(text)?.groups ?? {};
    if (host === undefined || (scheme !== undefined && !SCHEMES.includes(scheme))) {
      throw new TypeError(`NATS server ${index + 1} is not nats://host:port or tls://host:port`);
    }
    if (scheme === 'tls') list = { ...list, tls: {} };
    if (user !== undefined) list = { ...list, ...credentials(user) };
    return host;
  });
  return { servers, ...list };
}

function credentials(text: string): { user: string; pass: string } | { token: string } {
  const colon = text.indexOf(':');
  if (colon < 0) return { token: decodeURIComponent(text) };
  return {
    user: decodeURIComponent(text.slice(0, colon)),
    pass: decodeURIComponent(text.slice(colon + 1)),
  };
}
