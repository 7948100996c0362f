/**
 * Which installation this process belongs to. Starts as a name (`main`); the first snapshot that is
 * accepted, from the network or from the file, pins the full `<name>/<id>` for the process's life.
 */
export class InstallationPin {
  #value: string;

  constructor(readonly name: string) {
    this.#value = name;
  }

  /** The name alone, or `<name>/<id>` once pinned. */
  get value(): string {
    return this.#value;
  }

  /** Whether a message of the installation `<name>/<id>` is one of ours. */
  admits(installation: string): boolean {
    return this.#value === this.name
      ? installation.startsWith(`${this.name}/`)
      : installation === this.#value;
  }

  /** What is told of a snapshot of another installation. */
  describeForeign(installation: string): string {
    return (
      `a snapshot of the installation "${installation}" was ignored, this consumer belongs to ` +
      `"${this.#value}"; to join the other one, remove this consumer's cache folder and restart it`
    );
  }

  pin(installation: string): void {
    if (this.#value === this.name && this.admits(installation)) this.#value = installation;
  }
}
