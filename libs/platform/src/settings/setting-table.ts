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
const file = kind.text('a file', { minLength: 1, maxLength: 4096 });
const name = kind.text('1 to 32 of a-z, 0-9, "_" and "-", starting with a letter or digit', {
  pattern: kind.IDENTIFIER,
});
const installation = kind.text('name/id of an installation, such as main/0b9c1d2e', {
  pattern: '^[a-z0-9][a-z0-9_-]{0,31}/[A-Za-z0-9_-]{1,95}$',
});
const host = kind.text('a host name or an IP address', { pattern: '^[A-Za-z0-9_.:-]{1,255}$' });

const token = kind.text('1 to 4096 visible characters of ASCII', {
  pattern: '^[!-~]{1,4096}$',
});

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
  PAWL_NATS_REPLICAS: optional(
    kind.oneOf(['1', '3', '5'] as const),
    'Copies of each JetStream stream: 1, 3 or 5; 3 in a NATS cluster and else 1 when not set; raised, never lowered',
  ),
  PAWL_NATS_PORT: row(kind.port(), '7422', 'Port of our own nats-server'),
  PAWL_ADOPT_STREAMS: optional(
    installation,
    'Installation that is gone for good (name/id, as /readyz names it): its streams are emptied and taken over',
  ),
  PAWL_NODE_ID: row(name, 'node-1', 'Name of this node in the metadata quorum'),
  PAWL_PEERS: optional(
    kind.peers(),
    'Members that found the quorum, the same list on each (with or without the node itself): id=host:port,…; with PAWL_JOIN members that run',
  ),
  PAWL_JOIN: row(
    kind.truth(),
    'false',
    'Enter the quorum of PAWL_PEERS, which was told with `pawl cluster add`, instead of founding one',
  ),
  PAWL_PEER_HOST: row(host, '127.0.0.1', 'Address on which the members of the quorum talk'),
  PAWL_PEER_PORT: row(kind.port(), '7480', 'Port on which the members of the quorum talk'),
  PAWL_PEER_ADVERTISE: optional(
    kind.hostPort(),
    'Where the other members find this one: host:port; else its entry in PAWL_PEERS, else where it listens',
  ),
  PAWL_PEER_CERT: optional(
    file,
    'PEM certificate that this member shows the others; with key and CA they talk over mutual TLS',
  ),
  PAWL_PEER_KEY: optional(file, 'PEM key of PAWL_PEER_CERT'),
  PAWL_PEER_CA: optional(file, 'PEM certificates of the authority of all members'),
  PAWL_ETCD_HOST: row(host, '127.0.0.1', 'Address of the coordination API'),
  PAWL_ETCD_PORT: row(kind.port(), '7479', 'Port of the coordination API (etcd v3 gRPC)'),
  PAWL_ETCD_ADVERTISE: optional(
    kind.hostPort(),
    'Where clients find the coordination API: host:port; else where it listens',
  ),
  PAWL_ETCD_CERT: optional(
    file,
    'PEM certificate of the coordination API; without it in the clear',
  ),
  PAWL_ETCD_KEY: optional(file, 'PEM key of PAWL_ETCD_CERT'),
  PAWL_ETCD_CA: optional(file, 'PEM certificates of an authority: clients must show one of it'),
  PAWL_SNAPSHOT_COUNT: row(
    kind.integer(10, 10_000_000),
    '10000',
    'Entries of the quorum’s log after which a snapshot is taken',
  ),
  PAWL_HEARTBEAT_MS: row(
    kind.integer(10, 60_000),
    '50',
    'How often the leader of the quorum is heard, in milliseconds; the same on all members',
  ),
  PAWL_ELECTION_MS: row(
    kind.integer(50, 300_000),
    '400',
    'Silence after which members elect another leader, in milliseconds; at least five heartbeats',
  ),
  PAWL_COMPACTION_MODE: row(
    kind.oneOf(['revision', 'periodic', 'off'] as const),
    'revision',
    'How old revisions of the coordination API go by themselves: revision (by count), periodic (by age), off',
  ),
  PAWL_COMPACTION_RETENTION: optional(
    kind.retention(),
    'How much of them stays at least: a count (10000 when not set), or with periodic a time such as 30m (1h when not set)',
  ),
  PAWL_QUOTA_BYTES: row(
    kind.integer(1_048_576, 8_589_934_592),
    '251658240',
    'Bytes that users of the coordination API may store, history included; the same on all members',
  ),
  PAWL_FORCE_NEW_CLUSTER: row(
    kind.truth(),
    'false',
    'Go on alone, without the other members: only when a majority of them is lost for good',
  ),
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
  PAWL_PROMETHEUS_URL: optional(
    kind.httpServer('http://prometheus:9090'),
    'Prometheus that gates ask, its base URL, which may name user and password; without it such gates are refused',
  ),
  PAWL_PROMETHEUS_TOKEN: optional(token, 'Bearer token for PAWL_PROMETHEUS_URL'),
  PAWL_GATE_URLS: optional(
    kind.urlPrefixes(),
    'Beginnings of URLs, separated by commas, that webhook gates may call; without it such gates are refused',
  ),
  PAWL_WEBHOOK_URLS: optional(
    kind.webhookUrls(),
    'URLs, separated by commas, that each release transition is posted to as a signed CloudEvent',
  ),
  PAWL_WEBHOOK_SECRET: optional(
    kind.webhookSecrets(),
    'What webhooks are signed with (Standard Webhooks): whsec_ and base64; several, separated by commas, to change it',
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

/** What `pawl settings` lists. */
export interface SettingDescription {
  readonly name: SettingName;
  /** As it would be written in the environment; `null`: none. */
  readonly default: string | null;
  readonly description: string;
}

export interface QuorumSettingDescription extends SettingDescription {
  /** As an option of the command line, without the dashes: `peer-host`. */
  readonly option: string;
  /** Takes no value. */
  readonly isSwitch: boolean;
}

/** Every setting with its default and description, in the order in which people read them. */
export function describeSettings(): readonly SettingDescription[] {
  return Object.keys(SETTING_TABLE).map((settingName) => describe(settingName as SettingName));
}

/** The settings of a quorum member alone, which `pawl quorum` takes as options too. */
export function describeQuorumSettings(): readonly QuorumSettingDescription[] {
  return QUORUM_SETTINGS.map((settingName) => ({
    ...describe(settingName),
    option: settingName.slice('PAWL_'.length).toLowerCase().replaceAll('_', '-'),
    isSwitch: SETTING_TABLE[settingName].kind.expects === kind.truth().expects,
  }));
}

function describe(settingName: SettingName): SettingDescription {
  const { default: preset, description } = SETTING_TABLE[settingName];
  return { name: settingName, default: preset, description };
}

const QUORUM_SETTINGS = [
  'PAWL_DATA_DIR',
  'PAWL_NODE_ID',
  'PAWL_PEERS',
  'PAWL_JOIN',
  'PAWL_PEER_HOST',
  'PAWL_PEER_PORT',
  'PAWL_PEER_ADVERTISE',
  'PAWL_PEER_CERT',
  'PAWL_PEER_KEY',
  'PAWL_PEER_CA',
  'PAWL_ETCD_HOST',
  'PAWL_ETCD_PORT',
  'PAWL_ETCD_ADVERTISE',
  'PAWL_ETCD_CERT',
  'PAWL_ETCD_KEY',
  'PAWL_ETCD_CA',
  'PAWL_HTTP_HOST',
  'PAWL_HTTP_PORT',
  'PAWL_SNAPSHOT_COUNT',
  'PAWL_HEARTBEAT_MS',
  'PAWL_ELECTION_MS',
  'PAWL_COMPACTION_MODE',
  'PAWL_COMPACTION_RETENTION',
  'PAWL_QUOTA_BYTES',
  'PAWL_FORCE_NEW_CLUSTER',
  'PAWL_LOG_LEVEL',
] as const satisfies readonly SettingName[];
