import type { StateMachine } from '../node/index.js';

/** The simplest state machine: the list of the commands, as text. */
export class ListMachine implements StateMachine<number> {
  commands: string[] = [];

  apply(command: Uint8Array): number {
    this.commands.push(Buffer.from(command).toString());
    return this.commands.length;
  }

  snapshot(): Uint8Array {
    return Buffer.from(JSON.stringify(this.commands));
  }

  restore(state: Uint8Array): void {
    this.commands = JSON.parse(Buffer.from(state).toString()) as string[];
  }
}
