import type { SettingDescription } from './settings.js';
import * as kind from './setting-kinds.js';
import type { SettingKind } from './setting-kinds.js';

export interface SettingRow<T> {
  readonly kind: SettingKind<T>;
  /** As text, read like what the environment holds; `null`: none. */
  readonly default: string | null;
  readonly description: string;
}

function row<T>(of: SettingKind<T>, preset: string, description: string): SettingRow<T> {
  return { kind: of, default: preset, description };
}

function optional<T>(of: SettingKind<T>, description: string): SettingRow<T> {
  return { kind: of, default: null, description };
}

const folder = kind.text('a folder', { minLength: 1, maxLength: 4096 });
const name = kind.text('1 to 32 of a-z, 0-9, "_" and "-", starting with a letter or digit', {
  pattern: kind.IDENTIFIER,
});
const installation = kind.text('name/id of an installation, such as main/0b9c1d2e', {
  pattern: '^[a-z0-9][a-z0-9_-]{0,31}/[A-Za-z0-9_-]{1,95}$',
});
const host = kind.text('a host name or an IP address', { pattern: '^[A-Za-z0-9_.:-]{1,255}$' });

/** Every setting: name, how it is read, default, and what it is for. */
export const SETTING_TABLE = {
  PAWL_DATA_DIR: row(folder, '.pawl', 'Folder of everything a node keeps'),
  PAWL_INSTALLATION: row(name, 'main', 'Name of the installation, part of subjects and streams'),
  PAWL_HTTP_HOST: row(host, '127.0.0.1', 'Address that REST and metrics listen on'),
  PAWL_HTTP_PORT: row(kind.port(), '7400', 'Port of REST and metrics; 0 takes a free one'),
  PAWL_HTTP_ALLOWED_HOSTS: optional(
    kind.hostNames(),
    'Host names, besides localhost, IP addresses and PAWL_HTTP_HOST, that requests may name; * allows any',
  ),
  PAWL_POSTGRES_URL: optional(
    kind.url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/pawl'),
    'PostgreSQL that holds the truth; without it an embedded one runs',
  ),
  PAWL_POSTGRES_PORT: row(kind.port(), '7432', 'Port of the embedded PostgreSQL'),
  PAWL_NATS_URL: optional(
    kind.url(['nats:', 'tls:'], 'nats://host:4222'),
    'NATS servers with JetStream, separated by commas; without it a nats-server of our own runs',
  ),
  PAWL_NATS_PORT: row(kind.port(), '7422', 'Port of our own nats-server'),
  PAWL_ADOPT_STREAMS: optional(
    installation,
    'Installation that is gone for good (name/id, as /readyz names it): its streams are emptied and taken over',
  ),
  PAWL_NODE_ID: row(name, 'node-1', 'Name of this node in the metadata quorum'),
  PAWL_PEERS: optional(kind.peers(), 'Other members of the quorum: id=host:port,…'),
  PAWL_PEER_PORT: row(kind.port(), '7480', 'Port on which the members of the quorum talk'),
  PAWL_ETCD_PORT: row(kind.port(), '7479', 'Port of the coordination API'),
  PAWL_METADATA: row(
    kind.metadata(),
    'embedded',
    'Metadata quorum: embedded, or etcd://host:port,…',
  ),
  PAWL_SHARDS: row(kind.integer(1, 4096), '64', 'Number of shards; fixed at the first start'),
  PAWL_LEASE_TTL_MS: row(
    kind.integer(500, 60_000),
    '5000',
    'How long a silent node keeps its shards, in milliseconds',
  ),
  PAWL_PROPAGATION_BOUND_MS: row(
    kind.integer(100, 3_600_000),
    '10000',
    'A live consumer that has not applied a published snapshot after this many milliseconds is lagging',
  ),
  PAWL_SWEEP_INTERVAL_MS: row(
    kind.integer(1000, 86_400_000),
    '600000',
    'How often expired idempotency keys, dead consumers and unreferenced contents are swept, in milliseconds',
  ),
  PAWL_REDIS_URL: optional(
    kind.url(['redis:', 'rediss:'], 'redis://host:6379'),
    'Redis for BullMQ; without it BullMQ runs on PostgreSQL',
  ),
  PAWL_URL: row(
    kind.url(['http:', 'https:'], 'http://127.0.0.1:7400'),
    'http://127.0.0.1:7400',
    'Where the CLI and the admin client find the control plane',
  ),
  PAWL_LOG_LEVEL: row(
    kind.logLevel(),
    'info',
    'Lowest level that is logged: fatal, error, warn, info, debug, trace; or silent',
  ),
} as const satisfies Record<string, SettingRow<unknown>>;

export type SettingName = keyof typeof SETTING_TABLE;

/** Every setting with its default and description, in the order in which people read them. */
export function describeSettings(): readonly SettingDescription[] {
  return Object.entries(SETTING_TABLE).map(([settingName, { default: preset, description }]) => ({
    name: settingName,
    default: preset,
    description,
  }));
}
