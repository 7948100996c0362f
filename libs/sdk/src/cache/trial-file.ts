import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';

const MODE = { mode: 0o600 };

/**
 * A small file that is replaced as a whole, by one writer at a time. It is not flushed: what it tells
 * is of processes that die, not of machines that do.
 */
export class TrialFile {
  constructor(readonly path: string) {}

  /** `undefined`: there is none, or it cannot be read. */
  read(): Promise<string | undefined> {
    return readFile(this.path, 'utf8').catch(() => undefined);
  }

  async replace(text: string): Promise<void> {
    await writeFile(this.#beside, text, MODE);
    await rename(this.#beside, this.path);
  }

  /** The same at once; a {@link replace} that is under way fails, or was before it. */
  replaceNow(text: string): void {
    rmSync(this.#beside, { force: true });
    const beside = `${this.#beside}.end`;
    writeFileSync(beside, text, MODE);
    renameSync(beside, this.path);
  }

  get #beside(): string {
    return `${this.path}.tmp`;
  }
}
