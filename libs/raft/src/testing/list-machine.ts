import type { LogMachine } from '../node/index.js';

/** The simplest state machine: the list of the commands, as text. */
export class ListMachine implements LogMachine {
  commands: string[] = [];

  apply(command: Uint8Array): void {
    this.commands.push(Buffer.from(command).toString());
  }

  snapshot(): IterableIterator<Uint8Array, unknown> {
    return [Buffer.from(JSON.stringify(this.commands))].values();
  }

  /** In two steps, of which the first does nothing. */
  *restore(state: Uint8Array): IterableIterator<void> {
    yield;
    this.commands = JSON.parse(Buffer.from(state).toString()) as string[];
  }
}
