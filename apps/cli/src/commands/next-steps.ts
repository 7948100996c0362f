import type { RolloutRelease } from '@pawl/contracts';
import type { CliContext } from '../context.js';

interface UnderWay extends Pick<RolloutRelease, 'address' | 'gates' | 'held'> {
  readonly state: string;
  /** 0 is the first. */
  readonly stage?: number;
}

/** What a person may do with a release in stages under way, a command each, as it can be pasted. */
export function nextSteps(context: CliContext, release: UnderWay): string[] {
  const { address, state, stage, gates = [], held = {} } = release;
  const isAsked = gates.some(({ kind, outcome }) => kind === 'approval' && outcome !== 'pass');
  const isHeld = Object.keys(held).length > 0;
  const seen = stage === undefined ? '' : ` --stage ${stage + 1}`;
  const steps: readonly (readonly [what: string, action: string, flags?: string])[] =
    state === 'paused'
      ? [
          ['go on', 'resume'],
          ['take it back', 'abort'],
        ]
      : [
          ...(isAsked ? ([['give it the go-ahead', 'approve', seen]] as const) : []),
          ...(isHeld ? ([['give what is held another try', 'resume']] as const) : []),
          ['stop it where it is', 'pause'],
          ['go on at once', 'advance'],
          ['take it back', 'abort'],
        ];
  return steps.map(([what, action, flags = '']) => {
    return `${what}: ${context.command(`${action} ${address}${flags}`)}`;
  });
}
