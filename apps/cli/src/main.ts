import { runCli } from './run-cli.js';
import { processTerminal } from './terminal.js';

const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
process.once('SIGTERM', () => interrupted.abort());
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli({
  args: process.argv.slice(2),
  env: process.env,
  terminal: processTerminal(),
  signal: interrupted.signal,
});

/** What is still open by then, such as files of a quorum member that could not stop, ends with us. */
const LINGER_MS = 3_000;
setTimeout(() => process.exit(), LINGER_MS).unref();
