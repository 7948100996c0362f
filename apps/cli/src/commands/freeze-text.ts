import { freezeText } from '@pawl/contracts';
import type { Freeze, RolloutView } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { plain } from '../output.js';
import { policyOf } from './set-frozen.js';

/** Whose policy freezes an address, until when and why, in a line; none where nothing does. */
export function freezeLines({ address, frozen }: Frozen): string[] {
  if (frozen === undefined) return [];
  const [at = ''] = address.split(':');
  return [plain(freezeText(frozen, at))];
}

/** The same, with what can be done about it. */
export function freezeSteps(context: CliContext, of: RolloutView): string[] {
  const { address, frozen, releases = [] } = of;
  if (frozen === undefined) return [];
  // What is under way tells itself how it goes on.
  const isUnderWay = releases.some((release) => release.address === address);
  const promote = `promote all the same: ${context.command(`promote ${address} ${EXCEPTION}`)}`;
  const steps = isUnderWay ? [] : [promote];
  return [...freezeLines(of), ...freezeStep(context, frozen), ...steps];
}

/** How a freeze ends, in a line; none where there is none. */
export function freezeStep(context: CliContext, frozen: Freeze | undefined): string[] {
  if (frozen === undefined) return [];
  const { scope, byClock } = frozen;
  const [what, words] =
    byClock === true
      ? ['its times are in', `config get ${policyOf(scope)}`]
      : ['end it', `unfreeze ${scope}`];
  return [`${what}: ${context.command(words)}`];
}

/** Of a release in stages that goes forward all the same: what freezes it, and that each step is asked for. */
export function stepLines(context: CliContext, of: Frozen): string[] {
  if (of.frozen === undefined) return [];
  const advance = context.command(`advance ${of.address} ${EXCEPTION}`);
  return [
    ...freezeLines(of),
    `until that is over it waits at each stage, and before its end; to go on each time: ${advance}`,
  ];
}

/** What goes forward while it is frozen goes with this. */
export const EXCEPTION = "--freeze-exception 'why'";

interface Frozen {
  readonly address: string;
  readonly frozen?: Freeze;
}
