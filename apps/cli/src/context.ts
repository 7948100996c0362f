import type { AdminClient } from '@pawl/admin-client';
import type { OutputFormat } from './output.js';
import type { Terminal } from './terminal.js';

/** What every command is handed. */
export interface CliContext {
  readonly terminal: Terminal;
  /**
   * Made on first use, so that `pawl settings` needs no server. `signal`, Ctrl-C unless told, ends
   * the search for the control plane, where its reason is thrown, and every request.
   */
  client(signal?: AbortSignal): Promise<AdminClient>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends what goes on for long: Ctrl-C. */
  readonly signal: AbortSignal;
  format(): OutputFormat;
  /** The command line of these words, as the user can paste it: `pawl status acme`. */
  command(words: string): string;
}
