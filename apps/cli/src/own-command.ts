import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

type Env = Readonly<Record<string, string | undefined>>;

/** How the user called us: npm exec, which npx is too, puts `pawl` on the path only for us. */
export function ownCommand(env: Env): string {
  const byNpx = env['npm_lifecycle_event'] === 'npx' || env['npm_command'] === 'exec';
  return byNpx ? 'npx --no-install pawl' : 'pawl';
}

/**
 * `words` as a command line to paste: it finds the same control plane as this one did, also from a
 * shell that was not told where it is. `url`: what `--url` said.
 */
export function pastable(env: Env, url: string | undefined, words: string): string {
  const command = ownCommand(env);
  if (url !== undefined) return `${command} --url ${quoted(url)} ${words}`;
  const name = ['PAWL_URL', 'PAWL_DATA_DIR'].find((setting) => env[setting]);
  const where = name === undefined ? '' : `${name}=${quoted(env[name] ?? '')} `;
  return `${where}${command} ${words}`;
}

/** For POSIX shells. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function ownVersion(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

/** `$USER`, else whom the process runs as; `undefined` for a user without a name. */
export function ownUser(env: Env): string | undefined {
  if (env['USER'] !== undefined && env['USER'] !== '') return env['USER'];
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
