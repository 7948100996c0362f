import type { SETTING_TABLE, SettingName, SettingRow } from './setting-table.js';
import type { CompactionSetting, HostPort, QuorumSettings, Settings } from './settings.js';

type ValueOf<R> = R extends SettingRow<infer T> ? T : never;

/** What was given or is preset, each by itself correct; `null`: neither. */
export type SettingValues = {
  readonly [N in SettingName]: ValueOf<(typeof SETTING_TABLE)[N]> | null;
};

const REPLICAS = { '1': 1, '3': 3, '5': 5 } as const;
const DEFAULT_KEEP_REVISIONS = 10_000;
const DEFAULT_KEEP_MS = 3_600_000;

/** Every setting has a preset or is nullable in `Settings`. */
export function assembleSettings(values: SettingValues): Settings {
  const must = mustHave(values);
  return {
    dataDir: must('PAWL_DATA_DIR'),
    installation: must('PAWL_INSTALLATION'),
    http: {
      host: must('PAWL_HTTP_HOST'),
      port: must('PAWL_HTTP_PORT'),
      allowedHosts: values.PAWL_HTTP_ALLOWED_HOSTS ?? [],
    },
    postgres: { url: values.PAWL_POSTGRES_URL, port: must('PAWL_POSTGRES_PORT') },
    nats: {
      url: values.PAWL_NATS_URL,
      port: must('PAWL_NATS_PORT'),
      replicas: values.PAWL_NATS_REPLICAS === null ? null : REPLICAS[values.PAWL_NATS_REPLICAS],
    },
    adoptStreams: values.PAWL_ADOPT_STREAMS,
    nodeId: must('PAWL_NODE_ID'),
    quorum: assembleQuorum(values),
    metadata: must('PAWL_METADATA'),
    shards: must('PAWL_SHARDS'),
    leaseTtlMs: must('PAWL_LEASE_TTL_MS'),
    propagationBoundMs: must('PAWL_PROPAGATION_BOUND_MS'),
    sweepIntervalMs: must('PAWL_SWEEP_INTERVAL_MS'),
    redisUrl: values.PAWL_REDIS_URL,
    webhookUrls: values.PAWL_WEBHOOK_URLS ?? [],
    gates: {
      prometheus:
        values.PAWL_PROMETHEUS_URL === null
          ? null
          : { url: values.PAWL_PROMETHEUS_URL, token: values.PAWL_PROMETHEUS_TOKEN },
      urls: values.PAWL_GATE_URLS ?? [],
    },
    webhookSecrets: values.PAWL_WEBHOOK_SECRET ?? [],
    url: must('PAWL_URL'),
    logLevel: must('PAWL_LOG_LEVEL'),
  };
}

function assembleQuorum(values: SettingValues): QuorumSettings {
  const must = mustHave(values);
  const { PAWL_PEER_CERT, PAWL_PEER_KEY, PAWL_PEER_CA } = values;
  const { PAWL_ETCD_CERT, PAWL_ETCD_KEY, PAWL_ETCD_CA } = values;
  const nodeId = must('PAWL_NODE_ID');
  return {
    peers: (values.PAWL_PEERS ?? []).filter(({ id }) => id !== nodeId),
    peersGiven: values.PAWL_PEERS !== null,
    join: must('PAWL_JOIN'),
    forceNewCluster: must('PAWL_FORCE_NEW_CLUSTER'),
    peer: {
      listen: { host: must('PAWL_PEER_HOST'), port: must('PAWL_PEER_PORT') },
      advertise: values.PAWL_PEER_ADVERTISE ?? ownEntry(values),
      tls:
        PAWL_PEER_CERT === null || PAWL_PEER_KEY === null || PAWL_PEER_CA === null
          ? null
          : { cert: PAWL_PEER_CERT, key: PAWL_PEER_KEY, ca: PAWL_PEER_CA },
    },
    etcd: {
      listen: { host: must('PAWL_ETCD_HOST'), port: must('PAWL_ETCD_PORT') },
      advertise: values.PAWL_ETCD_ADVERTISE,
      tls:
        PAWL_ETCD_CERT === null || PAWL_ETCD_KEY === null
          ? null
          : { cert: PAWL_ETCD_CERT, key: PAWL_ETCD_KEY, ca: PAWL_ETCD_CA },
    },
    snapshotCount: must('PAWL_SNAPSHOT_COUNT'),
    heartbeatMs: must('PAWL_HEARTBEAT_MS'),
    electionMs: must('PAWL_ELECTION_MS'),
    compaction: compaction(values),
    quotaBytes: must('PAWL_QUOTA_BYTES'),
  };
}

/** What PAWL_PEERS says of this node itself. */
export function ownEntry({ PAWL_PEERS, PAWL_NODE_ID }: SettingValues): HostPort | null {
  const own = PAWL_PEERS?.find(({ id }) => id === PAWL_NODE_ID);
  return own === undefined ? null : { host: own.host, port: own.port };
}

/** Mode and retention fit each other. */
function compaction(values: SettingValues): CompactionSetting {
  const mode = values.PAWL_COMPACTION_MODE ?? 'off';
  const given = values.PAWL_COMPACTION_RETENTION ?? { revisions: DEFAULT_KEEP_REVISIONS };
  if (mode === 'off') return { mode };
  if (mode === 'periodic') return { mode, keepMs: 'ms' in given ? given.ms : DEFAULT_KEEP_MS };
  const keepRevisions = 'ms' in given ? DEFAULT_KEEP_REVISIONS : given.revisions;
  return { mode, keepRevisions };
}

function mustHave(values: SettingValues) {
  return <N extends SettingName>(name: N): NonNullable<SettingValues[N]> =>
    values[name] as NonNullable<SettingValues[N]>;
}
