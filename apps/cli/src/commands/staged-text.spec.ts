import { expect, it } from 'vitest';
import { candidateText, placeText, stageText } from './staged-text.js';

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
