import { expect, it } from 'vitest';
import { underWay } from '../testing/cli-world.js';
import { releaseLine, releaseProgress } from './release-progress.js';
import { candidateText, placeText, preflightText, stageText } from './staged-text.js';

it.each([
  [{ count: 1 }, '1 of each workload'],
  [{ percent: 0.5 }, '0.5 %'],
  [{ percent: 100, bakeMs: 1 }, '100 %'],
  [{ percent: 50, selector: { region: ['eu'] } }, 'region=eu 50 %'],
  [
    { count: 2, selector: { region: ['eu', 'us'], zone: ['a'] } },
    'region=eu|us zone=a 2 of each workload',
  ],
])('says whom %j reaches', (stage, text) => {
  expect(stageText(stage)).toBe(text);
});

it('names the strategy where it has a name', () => {
  expect(candidateText(3, { strategy: 'linear' })).toBe('version 3 by linear');
  expect(candidateText(3, { strategy: 'inline' })).toBe('version 3');
  expect(candidateText(undefined, undefined)).toBe('version ?');
});

it('counts stages from one', () => {
  expect(placeText({ stage: 0, stages: [{ percent: 10 }, { percent: 100 }] })).toBe(
    'stage 1 of 2 (10 %)',
  );
});

it('says how far a preflight is, in place of the stage', () => {
  const numbers = { asked: 1_000, accepted: 812, rejected: 2, cannotSay: 0, silent: 186 };
  const preflight = { state: 'asking', ...numbers } as const;
  expect(placeText({ stage: 0, stages: [{ percent: 100 }], preflight })).toBe(
    'preflight 812/1000 accepted, 2 rejected, 186 to answer',
  );
  expect(preflightText({ ...preflight, state: 'waiting', rejected: 0 })).toBe(
    'preflight 812/1000 accepted, 186 silent',
  );
  expect(preflightText({ state: 'asking' })).toBe('preflight');
});

it('draws a preflight before the stages', () => {
  const preflight = { state: 'waiting', asked: 4, accepted: 3, silent: 1 } as const;
  const lines = releaseProgress(
    underWay({ stage: 0, preflight, reason: 'one is silent' }),
    undefined,
  );
  expect(lines).toEqual([
    'version 3 at acme/app is rolling, preflight 3/4 accepted, 1 silent',
    '  [###############-----] everybody is asked first; nobody has it yet',
    '  1 [--------------------] 1 of each workload',
    '  2 [--------------------] 10 %',
    '  3 [--------------------] 100 %',
    'waits: one is silent',
  ]);
  expect(releaseLine(underWay({ preflight }), undefined)).toBe(
    'version 3 at acme/app is rolling, preflight 3/4 accepted, 1 silent',
  );
});

it('says who is asked before the next stage, beside the stage', () => {
  const asking = { state: 'asking', asked: 3, accepted: 2, silent: 1 } as const;
  const place = 'preflight 2/3 accepted, 1 to answer';
  expect(placeText({ stage: 0, stages: [{ percent: 10 }, { percent: 100 }], asking })).toBe(
    `stage 1 of 2 (10 %), ${place}`,
  );
  const lines = releaseProgress(underWay({ stage: 1, asking, reason: 'one is silent' }), undefined);
  expect(lines[0]).toBe(`version 3 at acme/app is rolling, stage 2 of 3, ${place}`);
  expect(lines.at(-1)).toBe('waits: one is silent');
  expect(releaseLine(underWay({ stage: 1, asking }), undefined)).toContain(
    `stage 2 of 3 (10 %), ${place}: `,
  );
});
