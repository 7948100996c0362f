import { describe, expect, it } from 'vitest';
import { loadSettings } from './load-settings.js';
import { describeQuorumSettings } from './setting-table.js';
import type { QuorumSettings } from './settings.js';

function quorumOf(env: Record<string, string>): QuorumSettings {
  const loaded = loadSettings(env);
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded.settings.quorum;
}

function problemsOf(env: Record<string, string>): readonly string[] {
  const loaded = loadSettings(env);
  return loaded.ok ? [] : loaded.problems;
}

const PEERS = 'node-1=10.0.0.1:7480, node-2=10.0.0.2:7480,node-3=[::1]:7480';

describe('PAWL_PEERS', () => {
  it('may name this node, whose entry is its advertised address', () => {
    const { peers, peer } = quorumOf({ PAWL_PEERS: PEERS, PAWL_NODE_ID: 'node-2' });
    expect(peers).toEqual([
      { id: 'node-1', host: '10.0.0.1', port: 7480 },
      { id: 'node-3', host: '::1', port: 7480 },
    ]);
    expect(peer.advertise).toEqual({ host: '10.0.0.2', port: 7480 });
  });

  it('may leave this node out, which is then found where it says or where it listens', () => {
    const others = { PAWL_PEERS: PEERS, PAWL_NODE_ID: 'node-4' };
    expect(quorumOf(others).peer.advertise).toBeNull();
    expect(quorumOf(others).peers).toHaveLength(3);
    const { peer } = quorumOf({ ...others, PAWL_PEER_ADVERTISE: '[fe80::4]:1' });
    expect(peer.advertise).toEqual({ host: 'fe80::4', port: 1 });
  });

  it('takes the files of certificates', () => {
    const files = { PAWL_PEER_CERT: 'c', PAWL_PEER_KEY: 'k', PAWL_PEER_CA: 'a' };
    expect(quorumOf(files).peer.tls).toEqual({ cert: 'c', key: 'k', ca: 'a' });
    const api = { PAWL_ETCD_CERT: 'c', PAWL_ETCD_KEY: 'k' };
    expect(quorumOf(api).etcd.tls).toEqual({ cert: 'c', key: 'k', ca: null });
    expect(quorumOf({ ...api, PAWL_ETCD_CA: 'a' }).etcd.tls?.ca).toBe('a');
  });
});

it.each([
  [{}, { mode: 'revision', keepRevisions: 10_000 }],
  [{ PAWL_COMPACTION_RETENTION: '7' }, { mode: 'revision', keepRevisions: 7 }],
  [{ PAWL_COMPACTION_MODE: 'off' }, { mode: 'off' }],
  [{ PAWL_COMPACTION_MODE: 'periodic' }, { mode: 'periodic', keepMs: 3_600_000 }],
  [
    { PAWL_COMPACTION_MODE: 'periodic', PAWL_COMPACTION_RETENTION: '90s' },
    { mode: 'periodic', keepMs: 90_000 },
  ],
])('compacts by %j', (env, compaction) => {
  expect(quorumOf(env).compaction).toEqual(compaction);
});

describe('what does not go together', () => {
  it.each<[Record<string, string>, string]>([
    [{ PAWL_PEERS: 'b=localhost:1,b=localhost:2' }, 'PAWL_PEERS names b twice.'],
    [
      { PAWL_PEERS: 'b=localhost:1,c=localhost:1' },
      'PAWL_PEERS gives two members the address localhost:1.',
    ],
    [
      { PAWL_JOIN: 'true', PAWL_PEERS: 'node-1=h:1' },
      'PAWL_JOIN is true, so PAWL_PEERS must name a member of the quorum that runs.',
    ],
    [
      { PAWL_JOIN: 'true', PAWL_PEERS: 'b=h:1', PAWL_FORCE_NEW_CLUSTER: 'true' },
      'PAWL_JOIN enters a quorum and PAWL_FORCE_NEW_CLUSTER leaves one: set only one of them to true.',
    ],
    [
      { PAWL_PEERS: 'node-1=h:1', PAWL_PEER_ADVERTISE: 'h:2' },
      'PAWL_PEERS gives this node the address h:1, PAWL_PEER_ADVERTISE h:2: they must agree.',
    ],
    [
      { PAWL_PEERS: 'b=h:1', PAWL_PEER_PORT: '0' },
      'The other members cannot know where this node listens: PAWL_PEERS must have an entry for this node, or PAWL_PEER_ADVERTISE be set.',
    ],
    [
      { PAWL_PEERS: 'b=h:1', PAWL_PEER_HOST: '0.0.0.0' },
      'The other members cannot know where this node listens: PAWL_PEERS must have an entry for this node, or PAWL_PEER_ADVERTISE be set.',
    ],
    [
      { PAWL_PEERS: 'b=h:1,node-1=h:2', PAWL_ETCD_HOST: '::' },
      'PAWL_ETCD_HOST stands for all addresses, so PAWL_ETCD_ADVERTISE must say which one clients are told.',
    ],
    [
      { PAWL_PEERS: 'b=h:1', PAWL_METADATA: 'etcd://h:1' },
      'PAWL_METADATA names an etcd cluster, so this node is in no quorum of its own: PAWL_PEERS must not be set.',
    ],
    [
      { PAWL_HEARTBEAT_MS: '101' },
      'PAWL_ELECTION_MS must be at least five times PAWL_HEARTBEAT_MS, here 505.',
    ],
    [
      { PAWL_COMPACTION_MODE: 'periodic', PAWL_COMPACTION_RETENTION: '10' },
      'PAWL_COMPACTION_MODE is periodic, so PAWL_COMPACTION_RETENTION must be a time such as 30m.',
    ],
    [
      { PAWL_COMPACTION_RETENTION: '1h' },
      'PAWL_COMPACTION_MODE is revision, so PAWL_COMPACTION_RETENTION must be a number of revisions.',
    ],
    [
      { PAWL_PEER_KEY: 'k' },
      'PAWL_PEER_KEY is set, so PAWL_PEER_CERT and PAWL_PEER_CA must be too.',
    ],
    [{ PAWL_ETCD_CERT: 'c' }, 'PAWL_ETCD_CERT is set, so PAWL_ETCD_KEY must be too.'],
    [
      { PAWL_ETCD_CA: 'a' },
      'PAWL_ETCD_CA asks clients for certificates, which needs PAWL_ETCD_CERT and PAWL_ETCD_KEY too.',
    ],
  ])('%j', (env, sentence) => {
    expect(problemsOf(env)).toEqual([sentence]);
  });

  it('is fine with a wildcard, once the others and the clients are told where to go', () => {
    const env = { PAWL_PEERS: 'b=h:1', PAWL_PEER_HOST: '0.0.0.0', PAWL_ETCD_HOST: '0.0.0.0' };
    const told = { PAWL_PEER_ADVERTISE: 'h:2', PAWL_ETCD_ADVERTISE: 'h:3' };
    expect(problemsOf({ ...env, ...told })).toEqual([]);
  });
});

it('names the options of a quorum member', () => {
  const options = describeQuorumSettings();
  const of = (name: string) => options.find((one) => one.name === name);
  expect(of('PAWL_PEER_HOST')).toMatchObject({ option: 'peer-host', isSwitch: false });
  expect(of('PAWL_JOIN')).toMatchObject({ option: 'join', isSwitch: true });
  expect(of('PAWL_FORCE_NEW_CLUSTER')).toMatchObject({ isSwitch: true });
  expect(of('PAWL_POSTGRES_URL')).toBeUndefined();
});
