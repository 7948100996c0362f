import { setImmediate as turn } from 'node:timers/promises';
import type { LogMachine } from './raft-node-options.js';

/** Replaces the machine's state, and gives the event loop its turn after each step. */
export async function restoreInTurns(machine: LogMachine, state: Uint8Array): Promise<void> {
  const steps = machine.restore(state)[Symbol.iterator]();
  while (steps.next().done !== true) await turn();
}
