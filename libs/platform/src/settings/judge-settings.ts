import { addressText } from './host-port.js';
import { ownEntry, type SettingValues } from './assemble-settings.js';

/** Followers must miss several heartbeats before they doubt their leader; etcd demands as many. */
const HEARTBEATS_PER_ELECTION = 5;

/** What is wrong only in combination: one sentence each. */
export function judgeTogether(values: SettingValues): string[] {
  return [
    judgePeers(values),
    judgeJoining(values),
    judgeAddress(values),
    judgeMetadata(values),
    judgeTimes(values),
    judgeCompaction(values),
    allOrNone(values, ['PAWL_PEER_CERT', 'PAWL_PEER_KEY', 'PAWL_PEER_CA']),
    allOrNone(values, ['PAWL_ETCD_CERT', 'PAWL_ETCD_KEY']),
    values.PAWL_WEBHOOK_URLS !== null && values.PAWL_WEBHOOK_SECRET === null
      ? 'PAWL_WEBHOOK_URLS is set, so PAWL_WEBHOOK_SECRET must be too: receivers know by it who sends.'
      : null,
    judgePrometheus(values),
    values.PAWL_ETCD_CA !== null && values.PAWL_ETCD_CERT === null
      ? 'PAWL_ETCD_CA asks clients for certificates, which needs PAWL_ETCD_CERT and PAWL_ETCD_KEY too.'
      : null,
  ].filter((problem) => problem !== null);
}

function judgePeers({ PAWL_PEERS }: SettingValues): string | null {
  const peers = PAWL_PEERS ?? [];
  const ids = peers.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) return `PAWL_PEERS names ${twice} twice.`;
  const addresses = peers.map(addressText);
  const shared = addresses.find((address, at) => addresses.indexOf(address) !== at);
  return shared === undefined ? null : `PAWL_PEERS gives two members the address ${shared}.`;
}

function judgeJoining(values: SettingValues): string | null {
  if (values.PAWL_JOIN !== true) return null;
  if (others(values).length === 0) {
    return 'PAWL_JOIN is true, so PAWL_PEERS must name a member of the quorum that runs.';
  }
  return values.PAWL_FORCE_NEW_CLUSTER === true
    ? 'PAWL_JOIN enters a quorum and PAWL_FORCE_NEW_CLUSTER leaves one: set only one of them to true.'
    : null;
}

/** The other members must be told an address at which they reach this one. */
function judgeAddress(values: SettingValues): string | null {
  const own = ownEntry(values);
  const { PAWL_PEER_ADVERTISE: given, PAWL_PEER_HOST: host, PAWL_PEER_PORT: port } = values;
  if (own !== null && given !== null && addressText(own) !== addressText(given)) {
    return `PAWL_PEERS gives this node the address ${addressText(own)}, PAWL_PEER_ADVERTISE ${addressText(given)}: they must agree.`;
  }
  if (others(values).length === 0) return null;
  const where = 'PAWL_PEERS must have an entry for this node, or PAWL_PEER_ADVERTISE be set';
  if (own === null && given === null && (port === 0 || isEverywhere(host))) {
    return `The other members cannot know where this node listens: ${where}.`;
  }
  return isEverywhere(values.PAWL_ETCD_HOST) && values.PAWL_ETCD_ADVERTISE === null
    ? 'PAWL_ETCD_HOST stands for all addresses, so PAWL_ETCD_ADVERTISE must say which one clients are told.'
    : null;
}

function judgeMetadata(values: SettingValues): string | null {
  if (values.PAWL_METADATA?.kind !== 'etcd') return null;
  const set = (['PAWL_PEERS', 'PAWL_JOIN', 'PAWL_FORCE_NEW_CLUSTER'] as const).find(
    (name) => values[name] !== null && values[name] !== false,
  );
  return set === undefined
    ? null
    : `PAWL_METADATA names an etcd cluster, so this node is in no quorum of its own: ${set} must not be set.`;
}

function judgeTimes({ PAWL_HEARTBEAT_MS, PAWL_ELECTION_MS }: SettingValues): string | null {
  const least = HEARTBEATS_PER_ELECTION * (PAWL_HEARTBEAT_MS ?? 0);
  return (PAWL_ELECTION_MS ?? 0) >= least
    ? null
    : `PAWL_ELECTION_MS must be at least five times PAWL_HEARTBEAT_MS, here ${least}.`;
}

function judgeCompaction(values: SettingValues): string | null {
  const { PAWL_COMPACTION_MODE: mode, PAWL_COMPACTION_RETENTION: retention } = values;
  if (retention === null) return null;
  if (mode === 'periodic' && !('ms' in retention)) {
    return 'PAWL_COMPACTION_MODE is periodic, so PAWL_COMPACTION_RETENTION must be a time such as 30m.';
  }
  return mode === 'revision' && !('revisions' in retention)
    ? 'PAWL_COMPACTION_MODE is revision, so PAWL_COMPACTION_RETENTION must be a number of revisions.'
    : null;
}

function judgePrometheus({ PAWL_PROMETHEUS_URL, PAWL_PROMETHEUS_TOKEN }: SettingValues) {
  if (PAWL_PROMETHEUS_TOKEN === null) return null;
  if (PAWL_PROMETHEUS_URL === null) {
    return 'PAWL_PROMETHEUS_TOKEN is set, so PAWL_PROMETHEUS_URL must be too.';
  }
  const { username, password } = new URL(PAWL_PROMETHEUS_URL);
  return username + password === ''
    ? null
    : 'PAWL_PROMETHEUS_URL names a user or a password, so PAWL_PROMETHEUS_TOKEN must not be set.';
}

function allOrNone(values: SettingValues, names: readonly (keyof SettingValues)[]): string | null {
  const missing = names.filter((name) => values[name] === null);
  if (missing.length === 0 || missing.length === names.length) return null;
  const given = names.find((name) => values[name] !== null);
  return `${given} is set, so ${missing.join(' and ')} must be too.`;
}

function others(values: SettingValues): readonly unknown[] {
  return (values.PAWL_PEERS ?? []).filter(({ id }) => id !== values.PAWL_NODE_ID);
}

function isEverywhere(host: string | null): boolean {
  return host === '0.0.0.0' || host === '::';
}
