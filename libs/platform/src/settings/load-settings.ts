import { Ajv } from 'ajv';
import { assembleSettings, type SettingValues } from './assemble-settings.js';
import { judgeTogether } from './judge-settings.js';
import { SETTING_TABLE, type SettingName } from './setting-table.js';
import type { Settings } from './settings.js';

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

/** The kinds' schemas are held against the schema of schemas by a test, not at every start. */
const ajv = new Ajv({ allErrors: false, strict: false, validateSchema: false });
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
  problems.push(...judgeTogether(values as SettingValues));
  if (problems.length > 0) return { ok: false, problems };
  const settings = assembleSettings(values as SettingValues);
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
  return /_(URLS?|SECRET|TOKEN)$/.test(name);
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
