import type { RolloutRelease } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { EXCEPTION } from './freeze-text.js';

interface UnderWay extends Pick<RolloutRelease, 'address' | 'gates' | 'held' | 'frozen'> {
  readonly state: string;
  /** 0 is the first. */
  readonly stage?: number;
}

/** What a person may do with a release in stages under way, a command each, as it can be pasted. */
export function nextSteps(context: CliContext, release: UnderWay): string[] {
  const { address, state, stage, gates = [], held = {}, frozen } = release;
  const isAsked = gates.some(({ kind, outcome }) => kind === 'approval' && outcome !== 'pass');
  const isHeld = Object.keys(held).length > 0;
  const seen = stage === undefined ? '' : ` --stage ${stage + 1}`;
  const forward = frozen === undefined ? '' : ` ${EXCEPTION}`;
  const steps: readonly (readonly [what: string, action: string, flags?: string])[] =
    state === 'paused'
      ? [
          ['go on', 'resume', forward],
          ['take it back', 'abort'],
        ]
      : [
          ...(isAsked ? ([['give it the go-ahead', 'approve', seen]] as const) : []),
          ...(isHeld ? ([['give what is held another try', 'resume', forward]] as const) : []),
          ['stop it where it is', 'pause'],
          ['go on at once', 'advance', forward],
          ['take it back', 'abort'],
        ];
  return steps.map(([what, action, flags = '']) => {
    return `${what}: ${context.command(`${action} ${address}${flags}`)}`;
  });
}
