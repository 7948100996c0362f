import { DEFAULT_STATE_LIMITS, MetadataState, NO_LEASE } from './index.js';
import type { Command, CommandResult, Operation } from './index.js';

export const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

export function put(key: string, value = '', lease = NO_LEASE): Operation {
  return { kind: 'put', key: bytes(key), value: bytes(value), lease };
}

export function txn(...success: Operation[]): Command {
  return { kind: 'txn', compare: [], success, failure: [] };
}

export function refusalOf(result: CommandResult): string {
  return result.kind === 'refused' ? result.refusal : result.kind;
}

/** A state that is given commands one after the other. */
export class Subject {
  readonly state: MetadataState;
  #index = 0;

  constructor(limits: Partial<typeof DEFAULT_STATE_LIMITS> = {}) {
    this.state = new MetadataState({ ...DEFAULT_STATE_LIMITS, ...limits });
  }

  run(command: Command, term = 1): CommandResult {
    this.#index += 1;
    return this.state.apply(command, { index: this.#index, term });
  }

  runBytes(encoded: Uint8Array): CommandResult {
    this.#index += 1;
    return this.state.applyEncoded(encoded, { index: this.#index, term: 1 });
  }

  /** Lets places in the log pass. */
  skip(entries: number): void {
    this.#index += entries;
  }
}
