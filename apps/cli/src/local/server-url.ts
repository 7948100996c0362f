import { hasCredentials, shownUrl } from '@pawl/admin-client';
import { listEndpoints } from '@pawl/platform/local';
import { CliError, EXIT } from '../exit-codes.js';
import { dataFolder, startCommand } from './data-folder.js';
import type { Env } from './data-folder.js';
import {
  NotRunningError,
  assertServes,
  meantByDefault,
  nothingRuns,
  ownNodes,
} from './own-nodes.js';
import type { WrittenNode } from './own-nodes.js';

const DEFAULT_URL = 'http://127.0.0.1:7400';
/** A node that stands still keeps its socket and answers nothing. */
const ALIVE_WITHIN_MS = 1_000;

/**
 * `--url`, else `PAWL_URL`, else what the node in the data folder wrote down, of several the first
 * that lives, else the default; not the default where a data folder is named, whose Pawl is meant,
 * nor where only a start that was killed, or a quorum member, left word in the folder.
 * Where the data folder knows which installation it belongs to, what listens there is asked first
 * whether it serves that one.
 * Throws a CliError for what is no address of a web server, where nothing runs in that folder, and
 * where something else listens at the address by now; `signal` ends the question, and its reason is
 * thrown.
 */
export async function serverUrl(
  env: Env,
  flag: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  if (flag !== undefined) return httpUrl('--url', flag);
  const given = env['PAWL_URL'];
  if (given !== undefined && given !== '') return httpUrl('PAWL_URL', given);
  const nodes = await listEndpoints(dataFolder(env));
  const written = nodes.filter((node) => node.http !== undefined);
  if (written.length === 0) return defaultUrl(nodes, env, signal);
  const own = await ownNodes(written, { env, or: 'PAWL_URL', signal });
  const sure = own.find(({ installation }) => installation !== undefined);
  if (sure?.http !== undefined) return sure.http;
  const urls = own.flatMap(({ http }) => http ?? []);
  return (urls.length > 1 ? await firstAlive(urls, signal) : undefined) ?? urls[0] ?? DEFAULT_URL;
}

/** Another installation may listen there while the one of this folder does not run. */
async function defaultUrl(
  nodes: readonly WrittenNode[],
  env: Env,
  signal: AbortSignal,
): Promise<string> {
  if (env['PAWL_DATA_DIR']) throw await nothingRuns(env, 'PAWL_URL');
  const meant = await meantByDefault(nodes, env);
  if (meant === null) {
    throw new NotRunningError(
      `nothing was sent: no control plane runs on ${dataFolder(env)}; start it with ${startCommand(env)}, or name one that runs with PAWL_URL`,
    );
  }
  if (meant !== undefined) await assertServes(DEFAULT_URL, meant, { env, or: 'PAWL_URL', signal });
  return DEFAULT_URL;
}

async function firstAlive(
  urls: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const alive = await Promise.all(
    urls.map(async (url) => {
      try {
        const answer = await fetch(`${url}/healthz`, {
          signal: AbortSignal.any([AbortSignal.timeout(ALIVE_WITHIN_MS), signal]),
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
