import { isWebhookSecret } from '@pawl/contracts/node';
import { parseHostPort } from './host-port.js';
import { LOG_LEVELS } from './settings.js';
import type { HostPort, MetadataSetting, PeerSetting } from './settings.js';

/**
 * How one environment variable is read: `schema` checks its text after `convert` turned it into a
 * JSON value, `expects` finishes the sentence "NAME must be …".
 */
export interface SettingKind<T> {
  readonly schema: object;
  readonly expects: string;
  /** `undefined` when the text cannot be read at all. */
  convert(text: string): T | undefined;
}

export const IDENTIFIER = '^[a-z0-9][a-z0-9_-]{0,31}$';

export function text(expects: string, schema: object): SettingKind<string> {
  return { schema: { type: 'string', ...schema }, expects, convert: (value) => value };
}

export function integer(minimum: number, maximum: number): SettingKind<number> {
  return {
    schema: { type: 'integer', minimum, maximum },
    expects: `a whole number from ${minimum} to ${maximum}`,
    convert: (value) => (/^[0-9]{1,15}$/.test(value) ? Number(value) : undefined),
  };
}

/** `0`: any free port. */
export const port = (): SettingKind<number> => integer(0, 65_535);

export function url(protocols: readonly string[], example: string): SettingKind<string> {
  return {
    schema: { type: 'string', minLength: 1, maxLength: 2048 },
    expects: `a URL such as ${example}`,
    convert: (value) =>
      value.split(',').every((part) => isUrl(part.trim(), protocols)) ? value : undefined,
  };
}

function isUrl(value: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(value)) return false;
  return protocols.includes(new URL(value).protocol);
}

/** URLs that events are posted to, separated by commas; may name a user and a password. */
export function webhookUrls(): SettingKind<readonly string[]> {
  return {
    schema: {
      type: 'array',
      maxItems: 16,
      uniqueItems: true,
      items: { type: 'string', maxLength: 2048 },
    },
    expects: 'at most 16 different URLs separated by commas, such as https://hooks.internal/pawl',
    convert: (value) => (list(value).every(isPostable) ? list(value) : undefined),
  };
}

function isPostable(value: string): boolean {
  return isUrl(value, HTTP) && hasReadableUser(value);
}

/** One server over HTTP; may name a user and a password. */
export function httpServer(example: string): SettingKind<string> {
  return {
    schema: { type: 'string', minLength: 1, maxLength: 2048 },
    expects: `a URL such as ${example}`,
    convert: (value) => (isPostable(value) ? value : undefined),
  };
}

const HTTP = ['http:', 'https:'];

function hasReadableUser(value: string): boolean {
  const { username, password } = new URL(value);
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

/** Beginnings of URLs, separated by commas. */
export function urlPrefixes(): SettingKind<readonly string[]> {
  return {
    schema: { type: 'array', maxItems: 64, items: { type: 'string', maxLength: 2048 } },
    expects:
      'beginnings of URLs separated by commas, such as https://hooks.internal/gates, ' +
      'without user, password or query',
    convert: (value) => (list(value).every(isPrefix) ? list(value) : undefined),
  };
}

function isPrefix(value: string): boolean {
  if (!isUrl(value, HTTP)) return false;
  const { username, password, search, hash } = new URL(value);
  return username + password + search + hash === '';
}

/** Secrets that webhooks are signed with, separated by commas. */
export function webhookSecrets(): SettingKind<readonly string[]> {
  return {
    schema: { type: 'array', maxItems: 4, items: { type: 'string' } },
    expects: 'whsec_ and base64 of 24 to 64 bytes, several separated by commas',
    convert: (value) => (list(value).every(isWebhookSecret) ? list(value) : undefined),
  };
}

export function oneOf<T extends string>(values: readonly T[]): SettingKind<T> {
  return {
    schema: { enum: values },
    expects: `one of ${values.join(', ')}`,
    convert: (value) => value as T,
  };
}

export const logLevel = (): SettingKind<(typeof LOG_LEVELS)[number]> => oneOf(LOG_LEVELS);

/** Host names separated by commas; `*` stands for any. */
export function hostNames(): SettingKind<readonly string[]> {
  return {
    schema: {
      type: 'array',
      maxItems: 64,
      items: { type: 'string', pattern: '^(\\*|[a-z0-9_]([a-z0-9_.-]{0,252}))$' },
    },
    expects: 'host names separated by commas, such as pawl.internal,pawl',
    convert: (value) => list(value).map((name) => name.toLowerCase()),
  };
}

/** `id=host:port`, separated by commas. */
export function peers(): SettingKind<readonly PeerSetting[]> {
  return {
    schema: {
      type: 'array',
      maxItems: 9,
      items: {
        type: 'object',
        properties: {
          id: { type: 'string', pattern: IDENTIFIER },
          port: { type: 'integer', minimum: 1, maximum: 65_535 },
        },
      },
    },
    expects: 'id=host:port pairs separated by commas, such as node-2=10.0.0.2:7480',
    convert: (value) => all(list(value).map(peer)),
  };
}

function peer(value: string): PeerSetting | undefined {
  const [id = '', at = ''] = splitOnce(value, '=');
  const address = parseHostPort(at);
  return address === undefined ? undefined : { id, ...address };
}

/** One `host:port`. */
export function hostPort(): SettingKind<HostPort> {
  return {
    schema: {
      type: 'object',
      properties: { port: { type: 'integer', minimum: 1, maximum: 65_535 } },
    },
    expects: 'host:port, such as 10.0.0.1:7480',
    convert: parseHostPort,
  };
}

/** `true` or `false`. */
export function truth(): SettingKind<boolean> {
  return {
    schema: { type: 'boolean' },
    expects: 'true or false',
    convert: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
  };
}

/** A whole number means revisions, one with a unit a time. */
export type Retention = { readonly revisions: number } | { readonly ms: number };

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** How much history stays: `10000` revisions, or `90s`, `30m`, `1h`, `2d`. */
export function retention(): SettingKind<Retention> {
  const amount = { type: 'integer', minimum: 1, maximum: 100_000_000_000 };
  return {
    schema: { type: 'object', properties: { revisions: amount, ms: amount } },
    expects: 'a number of revisions such as 10000, or a time such as 90s, 30m, 1h, 2d',
    convert: (value) => {
      const match = /^([0-9]{1,12})([smhd]?)$/.exec(value);
      if (match === null) return undefined;
      const unit = match[2] as keyof typeof UNITS_MS | '';
      const amountGiven = Number(match[1]);
      return unit === '' ? { revisions: amountGiven } : { ms: amountGiven * UNITS_MS[unit] };
    },
  };
}

/** `embedded`, or `etcd://host:port,…`. */
export function metadata(): SettingKind<MetadataSetting> {
  return {
    schema: { type: 'object' },
    expects: 'embedded, or etcd://host:port with more host:port after commas',
    convert: (value) => {
      if (value === 'embedded') return { kind: 'embedded' };
      if (!value.startsWith('etcd://')) return undefined;
      const endpoints = list(value.slice('etcd://'.length));
      const fine =
        endpoints.length > 0 &&
        endpoints.every((endpoint) => parseHostPort(endpoint) !== undefined);
      return fine ? { kind: 'etcd', endpoints } : undefined;
    },
  };
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function all<T>(values: readonly (T | undefined)[]): readonly T[] | undefined {
  return values.includes(undefined) ? undefined : (values as readonly T[]);
}

function splitOnce(value: string, separator: string): [string, string] {
  const at = value.indexOf(separator);
  return at < 0 ? [value, ''] : [value.slice(0, at), value.slice(at + separator.length)];
}
