import { Ajv } from 'ajv';
import type { Settings } from './settings.js';
import { SETTING_TABLE, type SettingName, type SettingRow } from './setting-table.js';

/** Environment variables as `process.env` gives them. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type LoadedSettings =
  | {
      readonly ok: true;
      readonly settings: Settings;
      /** Sentences about what is strange but not wrong, such as a name that is no setting. */
      readonly warnings: readonly string[];
    }
  /** One clear sentence per setting that is wrong; no secrets. */
  | { readonly ok: false; readonly problems: readonly string[] };

type Row = (typeof SETTING_TABLE)[SettingName];
type ValueOf<R> = R extends SettingRow<infer T> ? T : never;
type Values = { readonly [N in SettingName]: ValueOf<(typeof SETTING_TABLE)[N]> | null };

const ajv = new Ajv({ allErrors: false, strict: false });
const validators = new Map<object, ReturnType<typeof ajv.compile>>();

/** Reads every setting from `env`; an empty variable counts as not set. */
export function loadSettings(env: Environment): LoadedSettings {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(SETTING_TABLE)) {
    const text = env[name]?.trim();
    const given = text === undefined || text === '' ? row.default : text;
    values[name] = given === null ? null : readSetting(name, row, given, problems);
  }
  if (problems.length > 0) return { ok: false, problems };
  const settings = assemble(values as Values);
  problems.push(...judgeTogether(settings));
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, settings, warnings: strangeNames(env) };
}

function readSetting(name: string, row: Row, given: string, problems: string[]): unknown {
  const value: unknown = row.kind.convert(given);
  if (value !== undefined && conforms(row.kind.schema, value)) return value;
  const shown = secretive(name) ? '' : `, not ${JSON.stringify(given.slice(0, 100))}`;
  problems.push(`${name} must be ${row.kind.expects}${shown}.`);
  return undefined;
}

function conforms(schema: object, value: unknown): boolean {
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = ajv.compile(schema);
    validators.set(schema, validator);
  }
  return validator(value) === true;
}

/** Settings whose value may hold a password. */
function secretive(name: string): boolean {
  return name.endsWith('_URL');
}

/** Every setting has a default or is nullable in `Settings`; `null` here means "not given". */
function assemble(values: Values): Settings {
  const must = <N extends SettingName>(name: N): NonNullable<Values[N]> =>
    values[name] as NonNullable<Values[N]>;
  return {
    dataDir: must('PAWL_DATA_DIR'),
    installation: must('PAWL_INSTALLATION'),
    http: {
      host: must('PAWL_HTTP_HOST'),
      port: must('PAWL_HTTP_PORT'),
      allowedHosts: values.PAWL_HTTP_ALLOWED_HOSTS ?? [],
    },
    postgres: { url: values.PAWL_POSTGRES_URL, port: must('PAWL_POSTGRES_PORT') },
    nats: { url: values.PAWL_NATS_URL, port: must('PAWL_NATS_PORT') },
    adoptStreams: values.PAWL_ADOPT_STREAMS,
    nodeId: must('PAWL_NODE_ID'),
    peers: values.PAWL_PEERS ?? [],
    peerPort: must('PAWL_PEER_PORT'),
    etcdPort: must('PAWL_ETCD_PORT'),
    metadata: must('PAWL_METADATA'),
    shards: must('PAWL_SHARDS'),
    leaseTtlMs: must('PAWL_LEASE_TTL_MS'),
    propagationBoundMs: must('PAWL_PROPAGATION_BOUND_MS'),
    sweepIntervalMs: must('PAWL_SWEEP_INTERVAL_MS'),
    redisUrl: values.PAWL_REDIS_URL,
    url: must('PAWL_URL'),
    logLevel: must('PAWL_LOG_LEVEL'),
  };
}

/** What is wrong only in combination. */
function judgeTogether(settings: Settings): string[] {
  const problems: string[] = [];
  const away = settings.peers.some((peer) => !isLoopback(peer.host));
  if (away && (settings.postgres.url === null || settings.nats.url === null)) {
    problems.push(
      'PAWL_PEERS names other hosts, so PAWL_POSTGRES_URL and PAWL_NATS_URL must be given: ' +
        'an embedded PostgreSQL or NATS serves its own host only.',
    );
  }
  const ids = settings.peers.map((peer) => peer.id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) problems.push(`PAWL_PEERS names ${twice} twice.`);
  return problems;
}

/** Whether `host` is a name or address of this very machine. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    bare === 'localhost' ||
    bare.endsWith('.localhost') ||
    bare === '::1' ||
    /^127(\.[0-9]{1,3}){3}$/.test(bare)
  );
}

/** A name this many edits away from a setting is taken for a slip of the finger. */
const NEAR_EDITS = 3;

function strangeNames(env: Environment): string[] {
  const known = Object.keys(SETTING_TABLE);
  return Object.keys(env)
    .filter((name) => name.startsWith('PAWL_') && !known.includes(name))
    .map((name) => {
      const [nearest] = known
        .map((candidate) => ({ candidate, edits: editDistance(candidate, name) }))
        .filter(({ edits }) => edits <= NEAR_EDITS)
        .sort((left, right) => left.edits - right.edits);
      const hint = nearest === undefined ? '' : `; did you mean ${nearest.candidate}?`;
      return `${name} is not a setting and is ignored${hint === '' ? '.' : hint}`;
    });
}

/** Levenshtein distance; names are short. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + same,
        ),
      );
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}
