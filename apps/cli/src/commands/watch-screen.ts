import type { Terminal } from '../terminal.js';

/**
 * Shows what changes: on a terminal in its place, where lines are cut to its width; elsewhere each time
 * it differs, as lines of a log.
 */
export class WatchScreen {
  /** Lines on the terminal that the next picture replaces. */
  #drawn = 0;
  #logged = '';

  constructor(private readonly terminal: Terminal) {}

  show(picture: readonly string[], log: readonly string[]): void {
    if (this.terminal.isTty) this.#draw(picture);
    else this.#log(`${log.join('\n')}\n`);
  }

  /** What is shown stays as it is; what follows begins on a line of its own. */
  leave(): void {
    if (this.#drawn > 0) this.terminal.out('\n');
    this.#drawn = 0;
  }

  #draw(picture: readonly string[]): void {
    const up = this.#drawn > 1 ? `\u001b[${this.#drawn - 1}A` : '';
    const lines = picture.map((line) => line.slice(0, this.terminal.columns - 1));
    this.terminal.out(`\r${up}\u001b[J${lines.join('\n')}`);
    this.#drawn = lines.length;
  }

  #log(text: string): void {
    if (text === this.#logged) return;
    this.#logged = text;
    this.terminal.out(text);
  }
}
