import { resolve } from 'node:path';
import { quoted } from '../own-command.js';

export type Env = Readonly<Record<string, string | undefined>>;

/** Where a node keeps its data: as named, else in this folder, below npx in the clone it is in. */
export function dataFolder(env: Env): string {
  return env['PAWL_DATA_DIR'] || resolve(env['npm_config_local_prefix'] ?? '.', '.pawl');
}

/** What starts a node on the data folder. */
export function startCommand(env: Env): string {
  const named = env['PAWL_DATA_DIR'];
  return named ? `npm start -- --data-dir ${quoted(named)}` : 'npm start';
}
