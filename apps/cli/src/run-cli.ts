import { AdminClient } from '@pawl/admin-client';
import { Command, CommanderError, Help, Option } from 'commander';
import { addApply } from './commands/apply.command.js';
import { addChanges } from './commands/changes.command.js';
import { addConfig } from './commands/config.command.js';
import { addConsumers } from './commands/consumers.command.js';
import { addDiff } from './commands/diff.command.js';
import { addExplain } from './commands/explain.command.js';
import { addFreeze } from './commands/freeze.command.js';
import { addMerge } from './commands/merge.command.js';
import { addPin } from './commands/pin.command.js';
import { addPreflight } from './commands/preflight.command.js';
import { addRelease } from './commands/release.command.js';
import { addReleases } from './commands/releases.command.js';
import { addRestore } from './commands/restore.command.js';
import { addStatus } from './commands/status.command.js';
import { addWait } from './commands/wait.command.js';
import { addWebhooks } from './commands/webhooks.command.js';
import type { CliContext } from './context.js';
import { CliError, EXIT } from './exit-codes.js';
import type { ExitCode } from './exit-codes.js';
import { failureOf, failureText } from './failure.js';
import { addCluster } from './local/cluster/cluster.command.js';
import { addDebug } from './local/debug/debug.command.js';
import { addMetadata } from './local/metadata.command.js';
import { addQuorum } from './local/quorum/quorum.command.js';
import { addSettings } from './local/settings.command.js';
import { isServerGuessed, serverUrl } from './local/server-url.js';
import type { OutputFormat } from './output.js';
import { ownCommand, ownUser, ownVersion, pastable, quoted } from './own-command.js';
import type { Terminal } from './terminal.js';

export interface CliOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

interface GlobalFlags {
  readonly output: OutputFormat;
  readonly url?: string;
  readonly actor?: string;
}

const WHERE_IT_IS =
  'start it with npm start; or say where it runs with PAWL_URL (its address) or PAWL_DATA_DIR (its data folder)';

const INTERRUPTED = 'interrupted before the control plane answered';

/** Runs one command line and answers the exit code. */
export async function runCli(options: CliOptions): Promise<ExitCode> {
  const { args, terminal } = options;
  // Not an option of the program, which would take it from `config get --version 3` too.
  if (args[0] === '--version') {
    terminal.out(`${ownVersion()}\n`);
    return EXIT.done;
  }
  const usage: string[] = [];
  const program = buildProgram(options, (text) => usage.push(text));
  const format = (): OutputFormat => program.opts<GlobalFlags>().output;
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done;
      const text = `${usage.join('')}${misplacedCommand(program, options, error) ?? ''}`;
      const failure = { message: usageMessage(text), exitCode: EXIT.usage };
      terminal.err(format() === 'table' ? text : failureText(failure, format()));
      return EXIT.usage;
    }
    const { signal, env } = options;
    const interrupted = signal.aborted && !(error instanceof CliError);
    const cause = interrupted ? new CliError(INTERRUPTED) : error;
    const failure = failureOf(cause, hintFor(env, urlFlag(program)));
    terminal.err(failureText(failure, format()));
    const isTold = cause instanceof CliError;
    if (format() === 'table' && failure.problem?.code === 'not-found' && !isTold) {
      terminal.err(`what is known: ${pastable(env, urlFlag(program), 'scopes')}\n`);
    }
    return failure.exitCode;
  }
}

/** One line of what commander says of a wrong command line; the help that it shows stays as it is. */
function usageMessage(text: string): string {
  const message = text.trim();
  if (!message.startsWith('error: ')) return message;
  return message.slice('error: '.length).replaceAll(/\s*\n\s*/g, ' ');
}

/** What to do when nobody answers; nothing where an address was given. */
function hintFor(env: CliOptions['env'], url: string | undefined): string {
  if (isServerGuessed(env, url)) return `\n${WHERE_IT_IS}`;
  const folder = env['PAWL_DATA_DIR'];
  if (url !== undefined || env['PAWL_URL'] || !folder) return '';
  return `\nstart it with npm start -- --data-dir ${quoted(folder)}`;
}

function urlFlag(program: Command): string | undefined {
  return program.opts<GlobalFlags>().url;
}

/** `pawl history` is `pawl config history`: a word that only a group of commands knows. */
function misplacedCommand(
  program: Command,
  { env }: CliOptions,
  error: CommanderError,
): string | undefined {
  if (error.code !== 'commander.unknownCommand') return undefined;
  const name = /'([^']*)'/.exec(error.message)?.[1];
  for (const group of program.commands) {
    const found = group.commands.find((command) => command.name() === name);
    if (found === undefined) continue;
    const words = `${group.name()} ${found.name()} ${found.usage()}`;
    return `it is: ${pastable(env, urlFlag(program), words)}\n`;
  }
  return undefined;
}

/** `usageErr` is given what is said of a command line that is wrong. */
function buildProgram(options: CliOptions, usageErr: (text: string) => void): Command {
  const { terminal, env } = options;
  const program = new Command('pawl')
    .description('roll configuration out to fleets of services, and know that it is applied')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    )
    .option('--url <url>', 'the control plane; else PAWL_URL, else the running node of this folder')
    .option('--actor <name>', 'who is asking, for the history; else $USER, else your account')
    .addHelpText('after', '\n--version as the first word prints the version.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: usageErr,
    })
    .configureHelp({ optionDescription: describeOption });
  const context: CliContext = {
    terminal,
    env,
    signal: options.signal,
    format: () => program.opts<GlobalFlags>().output,
    command: (words) => pastable(env, urlFlag(program), words),
    client: async (signal = options.signal) => {
      const actor = program.opts<GlobalFlags>().actor ?? ownUser(env);
      const url = await serverUrl(env, urlFlag(program), signal);
      return new AdminClient({ url, signal, ...(actor === undefined ? {} : { actor }) });
    },
  };
  addConfig(program, context);
  addDiff(program, context);
  addMerge(program, context);
  addRelease(program, context);
  addPin(program, context);
  addReleases(program, context);
  addChanges(program, context);
  addFreeze(program, context);
  addPreflight(program, context);
  addRestore(program, context);
  addStatus(program, context);
  addConsumers(program, context);
  addWait(program, context);
  addWebhooks(program, context);
  addExplain(program, context);
  addApply(program, context);
  addSettings(program, context);
  addMetadata(program, context);
  addDebug(program, context);
  addCluster(program, context);
  addQuorum(program, context);
  pointToOwnHelp(program, ownCommand(env));
  return program;
}

/** `words`: how the command is called. */
function pointToOwnHelp(command: Command, words: string): void {
  const what = command.commands.length === 0 ? 'says how' : 'lists the commands';
  command.showHelpAfterError(`(${words} --help ${what})`);
  for (const each of command.commands) pointToOwnHelp(each, `${words} ${each.name()}`);
}

function describeOption(option: Option): string {
  const description = new Help().optionDescription(option);
  return option.mandatory ? `${description} (required)` : description;
}
