import type { CliContext } from '../context.js';

interface UnderWay {
  readonly address: string;
  readonly state: string;
}

/** What a person may do with a release in stages under way, a command each, as it can be pasted. */
export function nextSteps(context: CliContext, { address, state }: UnderWay): string[] {
  const steps: readonly (readonly [string, string])[] =
    state === 'paused'
      ? [
          ['go on', 'resume'],
          ['take it back', 'abort'],
        ]
      : [
          ['hold it', 'pause'],
          ['go on at once', 'advance'],
          ['take it back', 'abort'],
        ];
  return steps.map(([what, action]) => `${what}: ${context.command(`${action} ${address}`)}`);
}
