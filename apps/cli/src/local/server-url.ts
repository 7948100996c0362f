import { resolve } from 'node:path';
import { hasCredentials, shownUrl } from '@pawl/admin-client';
import { listEndpoints } from '@pawl/platform/local';
import { CliError, EXIT } from '../exit-codes.js';
import { quoted } from '../own-command.js';

type Env = Readonly<Record<string, string | undefined>>;

const DEFAULT_URL = 'http://127.0.0.1:7400';
/** A node that stands still keeps its socket and answers nothing. */
const ALIVE_WITHIN_MS = 1_000;

/**
 * `--url`, else `PAWL_URL`, else what the node in the data folder wrote down, of several the first
 * that lives, else the default; not the default where a data folder is named, whose Pawl is meant.
 * Throws a CliError for what is no address of a web server, and where nothing runs in that folder.
 */
export async function serverUrl(env: Env, flag: string | undefined): Promise<string> {
  if (flag !== undefined) return httpUrl('--url', flag);
  const given = env['PAWL_URL'];
  if (given !== undefined && given !== '') return httpUrl('PAWL_URL', given);
  const nodes = await listEndpoints(dataFolder(env));
  const urls = nodes.flatMap((node) => (node.http === undefined ? [] : [node.http]));
  const named = env['PAWL_DATA_DIR'];
  if (urls.length === 0 && named) throw nothingRuns(named, 'PAWL_URL');
  return (urls.length > 1 ? await firstAlive(urls) : undefined) ?? urls[0] ?? DEFAULT_URL;
}

/** No node has written down where it is, in the folder that PAWL_DATA_DIR names; `or` names one itself. */
export function nothingRuns(folder: string, or: string): CliError {
  return new CliError(
    `no Pawl runs on ${resolve(folder)}, which PAWL_DATA_DIR names: start it with npm start -- --data-dir ${quoted(folder)}, name the data folder of one that runs, or its address with ${or}`,
  );
}

async function firstAlive(urls: readonly string[]): Promise<string | undefined> {
  const alive = await Promise.all(
    urls.map(async (url) => {
      try {
        const answer = await fetch(`${url}/healthz`, {
          signal: AbortSignal.timeout(ALIVE_WITHIN_MS),
        });
        await answer.arrayBuffer();
        return answer.ok;
      } catch {
        return false;
      }
    }),
  );
  return urls.find((_, at) => alive[at]);
}

/** Whether nobody said where the control plane is. */
export function isServerGuessed(env: Env, flag: string | undefined): boolean {
  return flag === undefined && !env['PAWL_URL'] && !env['PAWL_DATA_DIR'];
}

/** Where a node keeps its data: as named, else in this folder, below npx in the clone it is in. */
export function dataFolder(env: Env): string {
  return env['PAWL_DATA_DIR'] || resolve(env['npm_config_local_prefix'] ?? '.', '.pawl');
}

function httpUrl(source: string, text: string): string {
  if (hasCredentials(text)) {
    throw new CliError(
      `${source} names a user or a password, which the control plane does not know; leave them out: ${shownUrl(text)}`,
      EXIT.usage,
    );
  }
  const protocol = URL.canParse(text) ? new URL(text).protocol : '';
  if (protocol === 'http:' || protocol === 'https:') return text;
  const shown = shownUrl(text);
  const remedy = text.includes('://')
    ? 'it is to begin with http:// or https://'
    : `http:// is missing: ${source}${source === 'PAWL_URL' ? '=' : ' '}http://${shown}`;
  throw new CliError(`${source} ${shown} is no address of a control plane; ${remedy}`, EXIT.usage);
}
