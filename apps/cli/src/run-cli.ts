import { AdminClient, ProblemError, UnreachableError } from '@pawl/admin-client';
import { Command, CommanderError, Option } from 'commander';
import { addApply } from './commands/apply.command.js';
import { addConfig } from './commands/config.command.js';
import { addExplain } from './commands/explain.command.js';
import { addRelease } from './commands/release.command.js';
import { addStatus } from './commands/status.command.js';
import { addWait } from './commands/wait.command.js';
import type { CliContext } from './context.js';
import { CliError, EXIT } from './exit-codes.js';
import type { ExitCode } from './exit-codes.js';
import { addMetadata } from './local/metadata.command.js';
import { addSettings } from './local/settings.command.js';
import { serverUrl } from './local/server-url.js';
import type { OutputFormat } from './output.js';
import { problemText } from './problem-text.js';
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

/** Runs one command line and answers the exit code. */
export async function runCli(options: CliOptions): Promise<ExitCode> {
  const { terminal } = options;
  const program = buildProgram(options);
  try {
    await program.parseAsync([...options.args], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof CliError) {
      terminal.err(`pawl: ${error.message}\n`);
      return error.exitCode;
    }
    if (error instanceof ProblemError) terminal.err(`pawl: ${problemText(error.problem)}\n`);
    else if (error instanceof UnreachableError) terminal.err(`pawl: ${error.message}\n`);
    else terminal.err(`pawl: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
    return EXIT.error;
  }
}

function buildProgram(options: CliOptions): Command {
  const { terminal, env } = options;
  const program = new Command('pawl')
    .description('roll configuration out to fleets of services, and know that it is applied')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    )
    .option('--url <url>', 'the control plane; else PAWL_URL, else the running node of this folder')
    .option('--actor <name>', 'who is asking, for the history; else $USER')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
    })
    .showHelpAfterError('(pawl --help lists the commands)');
  const flags = (): GlobalFlags => program.opts<GlobalFlags>();
  const context: CliContext = {
    terminal,
    env,
    signal: options.signal,
    format: () => flags().output,
    client: async () => {
      const actor = flags().actor ?? env['USER'];
      const url = flags().url ?? (await serverUrl(env));
      return new AdminClient({ url, ...(actor === undefined ? {} : { actor }) });
    },
  };
  addConfig(program, context);
  addRelease(program, context);
  addStatus(program, context);
  addWait(program, context);
  addExplain(program, context);
  addApply(program, context);
  addSettings(program, context);
  addMetadata(program, context);
  return program;
}
