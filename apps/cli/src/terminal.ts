import { createInterface } from 'node:readline/promises';

/** What a command writes to and reads from; tests hand in their own. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether what is written is seen by a person. */
  readonly isTty: boolean;
  /** Whether a person types what is read. */
  readonly isInputTty: boolean;
  readonly columns: number;
  readonly color: boolean;
  readInput(): Promise<string>;
  /** The line that a person types after a question; `null` where nobody can: input is no terminal. */
  ask(question: string): Promise<string | null>;
  now(): number;
}

/** The process's own streams; no colour with `NO_COLOR` or without a terminal. */
export function processTerminal(): Terminal {
  const isTty = process.stdout.isTTY;
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTty,
    isInputTty: process.stdin.isTTY,
    columns: process.stdout.columns || 80,
    color: isTty && process.env['NO_COLOR'] === undefined,
    readInput: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString('utf8');
    },
    ask: async (question) => {
      if (!process.stdin.isTTY) return null;
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await lines.question(question);
      } finally {
        lines.close();
      }
    },
    now: () => Date.now(),
  };
}
