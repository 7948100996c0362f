import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

type Env = Readonly<Record<string, string | undefined>>;

/** How the user called us: npm exec, which npx is too, puts `pawl` on the path only for us. */
export function ownCommand(env: Env): string {
  const byNpx = env['npm_lifecycle_event'] === 'npx' || env['npm_command'] === 'exec';
  return byNpx ? 'npx --no-install pawl' : 'pawl';
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
