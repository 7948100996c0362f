import { problem } from '@pawl/contracts';
import type { CommandGate } from '@pawl/distribution';
import { ProblemException } from '@pawl/platform';
import type { BodyGate } from '../http/body-gate.js';

const FULL = problem(
  'too-many-requests',
  'The owner holds as many commands as it may; nothing was written, try again later.',
);

/** Commands of other nodes take turns with the large bodies of REST, and wait as text until then. */
export function commandGate(rest: BodyGate): CommandGate {
  const gate = rest.beside();
  return {
    run: async ({ bytes, waitMs }, work) => {
      const hold = gate.hold();
      if (!hold.reserve(bytes)) return FULL;
      let begun = false;
      const begin = (): Promise<void> => {
        begun = true;
        return work();
      };
      try {
        await hold.work(begin, { waitMs });
        return undefined;
      } catch (error) {
        if (!begun && error instanceof ProblemException) return error.problem;
        throw error;
      }
    },
  };
}
