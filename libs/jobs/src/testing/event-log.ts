/** What workers and observers of one test were told, to be waited for. */
export class EventLog {
  readonly entries: string[] = [];
  readonly #waiting = new Set<() => void>();

  add(entry: string): void {
    this.entries.push(entry);
    for (const look of this.#waiting) look();
  }

  until(holds: (entries: readonly string[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds(this.entries)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  count(entry: string): number {
    return this.entries.filter((each) => each === entry).length;
  }
}
