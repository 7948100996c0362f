import { describeQuorumSettings, loadSettings } from '@pawl/platform';
import type { Settings } from '@pawl/platform';
import { CliError, EXIT } from '../../exit-codes.js';

type Env = Readonly<Record<string, string | undefined>>;

/** What was given on the command line, by the option's name as commander has it. */
export type QuorumFlags = Readonly<Record<string, string | true | undefined>>;

/** `peer-host` is `flags.peerHost`. */
function keyOf(option: string): string {
  return option.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * The settings of a member: options first, then variables. Throws a {@link CliError} whose sentences
 * name what the user typed: the option where one was given, else the variable.
 */
export function quorumSettings(
  env: Env,
  flags: QuorumFlags,
): { readonly settings: Settings; readonly warnings: readonly string[] } {
  const given = new Map<string, string>();
  const asVariables: Record<string, string> = {};
  for (const { name, option } of describeQuorumSettings()) {
    const value = flags[keyOf(option)];
    if (value === undefined) continue;
    given.set(name, `--${option}`);
    asVariables[name] = value === true ? 'true' : value;
  }
  const loaded = loadSettings({ ...env, ...asVariables });
  if (loaded.ok) return loaded;
  const sentences = loaded.problems.map((problem) =>
    problem.replaceAll(/PAWL_[A-Z_]+/g, (name) => given.get(name) ?? name),
  );
  throw new CliError(sentences.join('\npawl: '), EXIT.usage);
}
