import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { isLoopback, loadSettings, type LoadedSettings } from './load-settings.js';
import { describeSettings, SETTING_TABLE } from './setting-table.js';
import type { Settings } from './settings.js';

function settingsOf(loaded: LoadedSettings): Settings {
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded.settings;
}

function problemsOf(env: Record<string, string>): readonly string[] {
  const loaded = loadSettings(env);
  return loaded.ok ? [] : loaded.problems;
}

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

describe('loadSettings', () => {
  it('reads by schemas that are schemas', () => {
    const ajv = new Ajv({ strict: false });
    for (const [name, { kind }] of Object.entries(SETTING_TABLE)) {
      expect(ajv.validateSchema(kind.schema), name).toBe(true);
    }
  });

  it('fills in every default from an empty environment', () => {
    expect(settingsOf(loadSettings({}))).toEqual({
      dataDir: '.pawl',
      installation: 'main',
      http: { host: '127.0.0.1', port: 7400, allowedHosts: [] },
      postgres: { url: null, port: 7432 },
      nats: { url: null, port: 7422, replicas: null },
      adoptStreams: null,
      nodeId: 'node-1',
      quorum: {
        peers: [],
        peersGiven: false,
        join: false,
        forceNewCluster: false,
        peer: { listen: { host: '127.0.0.1', port: 7480 }, advertise: null, tls: null },
        etcd: { listen: { host: '127.0.0.1', port: 7479 }, advertise: null, tls: null },
        snapshotCount: 10_000,
        heartbeatMs: 50,
        electionMs: 400,
        compaction: { mode: 'revision', keepRevisions: 10_000 },
        quotaBytes: 251_658_240,
      },
      metadata: { kind: 'embedded' },
      shards: 64,
      leaseTtlMs: 5000,
      propagationBoundMs: 10_000,
      sweepIntervalMs: 600_000,
      redisUrl: null,
      webhookUrls: [],
      gates: { prometheus: null, urls: [] },
      webhookSecrets: [],
      url: 'http://127.0.0.1:7400',
      logLevel: 'info',
    });
  });

  it('reads what is given', () => {
    const settings = settingsOf(
      loadSettings({
        PAWL_HTTP_PORT: '0',
        PAWL_HTTP_ALLOWED_HOSTS: 'Pawl.internal, pawl',
        PAWL_POSTGRES_URL: 'postgres://u:p@db:5432/pawl',
        PAWL_NATS_URL: 'nats://a:4222,nats://b:4222',
        PAWL_NATS_REPLICAS: '5',
        PAWL_METADATA: 'etcd://e1:2379,e2:2379',
        PAWL_WEBHOOK_URLS: 'https://u:p@hooks.internal/pawl, http://10.0.0.5:8080',
        PAWL_PROMETHEUS_URL: 'https://me:p%40ss@prom/base',
        PAWL_GATE_URLS: 'https://hooks.internal/gates, http://10.0.0.5:8080',
        PAWL_WEBHOOK_SECRET: `${SECRET}, ${SECRET}`,
        PAWL_LOG_LEVEL: 'debug',
      }),
    );
    expect(settings.http).toEqual({
      host: '127.0.0.1',
      port: 0,
      allowedHosts: ['pawl.internal', 'pawl'],
    });
    expect(settings.postgres.url).toBe('postgres://u:p@db:5432/pawl');
    expect(settings.nats.replicas).toBe(5);
    expect(settings.metadata).toEqual({ kind: 'etcd', endpoints: ['e1:2379', 'e2:2379'] });
    expect(settings.webhookUrls).toEqual([
      'https://u:p@hooks.internal/pawl',
      'http://10.0.0.5:8080',
    ]);
    expect(settings.gates).toEqual({
      prometheus: { url: 'https://me:p%40ss@prom/base', token: null },
      urls: ['https://hooks.internal/gates', 'http://10.0.0.5:8080'],
    });
    expect(settings.webhookSecrets).toEqual([SECRET, SECRET]);
    expect(settings.logLevel).toBe('debug');
  });

  it('takes an empty variable as not set', () => {
    expect(settingsOf(loadSettings({ PAWL_HTTP_PORT: '', PAWL_REDIS_URL: ' ' }))).toMatchObject({
      http: { port: 7400 },
      redisUrl: null,
    });
  });

  it.each([
    ['PAWL_HTTP_PORT', '70000', 'a whole number from 0 to 65535, not "70000"'],
    ['PAWL_HTTP_PORT', '74x', 'a whole number from 0 to 65535, not "74x"'],
    ['PAWL_HTTP_PORT', '-1', 'a whole number from 0 to 65535, not "-1"'],
    ['PAWL_INSTALLATION', 'Main', 'starting with a letter or digit, not "Main"'],
    ['PAWL_ADOPT_STREAMS', 'main', 'name/id of an installation, such as main/0b9c1d2e, not "main"'],
    ['PAWL_NATS_REPLICAS', '2', 'one of 1, 3, 5, not "2"'],
    ['PAWL_SHARDS', '0', 'a whole number from 1 to 4096, not "0"'],
    ['PAWL_LEASE_TTL_MS', '1e3', 'a whole number from 500 to 60000, not "1e3"'],
    ['PAWL_LOG_LEVEL', 'loud', 'one of fatal, error, warn, info, debug, trace, silent'],
    ['PAWL_METADATA', 'etcd://', 'embedded, or etcd://host:port'],
    ['PAWL_METADATA', 'zookeeper', 'embedded, or etcd://host:port'],
    ['PAWL_PEERS', 'node-2', 'id=host:port pairs'],
    ['PAWL_PEERS', 'N=h:1', 'id=host:port pairs'],
    ['PAWL_PEER_ADVERTISE', 'h', 'host:port, such as 10.0.0.1:7480, not "h"'],
    ['PAWL_PEER_ADVERTISE', 'h:0', 'host:port, such as 10.0.0.1:7480, not "h:0"'],
    ['PAWL_JOIN', 'yes', 'true or false, not "yes"'],
    ['PAWL_SNAPSHOT_COUNT', '9', 'a whole number from 10 to 10000000, not "9"'],
    ['PAWL_COMPACTION_MODE', 'sometimes', 'one of revision, periodic, off'],
    ['PAWL_COMPACTION_RETENTION', '1w', 'a number of revisions such as 10000, or a time'],
    ['PAWL_COMPACTION_RETENTION', '0', 'a number of revisions such as 10000, or a time'],
    ['PAWL_HTTP_HOST', 'a b', 'a host name or an IP address, not "a b"'],
    ['PAWL_HTTP_ALLOWED_HOSTS', 'http://x', 'host names separated by commas'],
    ['PAWL_WEBHOOK_URLS', 'hooks.internal', 'at most 16 different URLs separated by commas'],
    ['PAWL_WEBHOOK_URLS', 'http://a,ftp://b', 'at most 16 different URLs separated by commas'],
    ['PAWL_WEBHOOK_URLS', 'http://a,http://a', 'at most 16 different URLs separated by commas'],
    ['PAWL_WEBHOOK_URLS', 'http://u%zz@a', 'at most 16 different URLs separated by commas'],
    ['PAWL_PROMETHEUS_URL', 'prom:9090', 'a URL such as http://prometheus:9090'],
    ['PAWL_PROMETHEUS_URL', 'http://a%zz@prom', 'a URL such as http://prometheus:9090'],
    ['PAWL_PROMETHEUS_TOKEN', 'a b', '1 to 4096 visible characters of ASCII'],
    ['PAWL_GATE_URLS', 'hooks.internal', 'beginnings of URLs separated by commas'],
    ['PAWL_GATE_URLS', 'http://a,http://u:p@b', 'beginnings of URLs separated by commas'],
    ['PAWL_GATE_URLS', 'http://a/?b', 'beginnings of URLs separated by commas'],
    ['PAWL_WEBHOOK_SECRET', 'hunter2', 'whsec_ and base64 of 24 to 64 bytes'],
    ['PAWL_WEBHOOK_SECRET', `${SECRET},x`, 'whsec_ and base64 of 24 to 64 bytes'],
  ])('refuses %s=%s in one clear sentence', (name, value, says) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`${name} must be `);
    expect(problems[0]).toContain(says);
    expect(problems[0]).toMatch(/\.$/);
  });

  it('names everything that is wrong at once', () => {
    expect(problemsOf({ PAWL_SHARDS: 'x', PAWL_HTTP_PORT: 'y' })).toHaveLength(2);
  });

  it('refuses webhooks without a secret', () => {
    expect(problemsOf({ PAWL_WEBHOOK_URLS: 'http://u:hunter2@a' })).toEqual([
      'PAWL_WEBHOOK_URLS is set, so PAWL_WEBHOOK_SECRET must be too: receivers know by it who sends.',
    ]);
  });

  it.each([
    ['a token alone', { PAWL_PROMETHEUS_TOKEN: 'x' }, 'so PAWL_PROMETHEUS_URL must be too'],
    [
      'a token besides a password',
      { PAWL_PROMETHEUS_TOKEN: 'x', PAWL_PROMETHEUS_URL: 'http://u:hunter2@prom' },
      'so PAWL_PROMETHEUS_TOKEN must not be set',
    ],
  ])('refuses %s', (_, env, says) => {
    expect(problemsOf(env)).toEqual([expect.stringContaining(says)]);
    expect(problemsOf(env).join()).not.toContain('hunter2');
  });

  it.each([
    'PAWL_POSTGRES_URL',
    'PAWL_NATS_URL',
    'PAWL_REDIS_URL',
    'PAWL_URL',
    'PAWL_WEBHOOK_URLS',
    'PAWL_PROMETHEUS_URL',
    'PAWL_PROMETHEUS_TOKEN',
    'PAWL_GATE_URLS',
    'PAWL_WEBHOOK_SECRET',
  ])('does not repeat a value of %s, which may hold a password', (name) => {
    const problems = problemsOf({ [name]: 'mysql://root:hunter2@db/pawl ä' });
    expect(problems).toHaveLength(1);
    expect(problems[0]).not.toContain('hunter2');
  });

  it('warns about names that are no settings and offers the nearest', () => {
    const loaded = loadSettings({ PAWL_HTP_PORT: '1', PAWL_SOMETHING_ELSE: '1', HOME: '/' });
    expect(loaded.ok && loaded.warnings).toEqual([
      'PAWL_HTP_PORT is not a setting and is ignored; did you mean PAWL_HTTP_PORT?',
      'PAWL_SOMETHING_ELSE is not a setting and is ignored.',
    ]);
  });
});

describe('describeSettings', () => {
  it('lists every setting once, with a description, and defaults that load', () => {
    const rows = describeSettings();
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
    for (const row of rows) expect(row.description).toMatch(/^[A-Z].{10,}/);
    const given = rows.flatMap((row) => (row.default === null ? [] : [[row.name, row.default]]));
    expect(loadSettings(Object.fromEntries(given) as Record<string, string>)).toEqual(
      loadSettings({}),
    );
  });
});

describe('isLoopback', () => {
  it.each(['localhost', 'LOCALHOST', 'a.localhost', '127.0.0.1', '127.9.9.9', '::1', '[::1]'])(
    'knows %s',
    (host) => expect(isLoopback(host)).toBe(true),
  );
  it.each([
    '10.0.0.1',
    '0.0.0.0',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '12.7.0.1',
    '',
  ])('not %s', (host) => expect(isLoopback(host)).toBe(false));
});
