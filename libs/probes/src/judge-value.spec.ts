import { describe, expect, it } from 'vitest';
import { judgeValue } from './judge-value.js';

describe('judgeValue', () => {
  it.each([
    [{ max: 0.05 }, 0.05, 'pass', '0.05'],
    [{ max: 0.05 }, 0.050_01, 'fail', '0.05001, at most 0.05 is allowed'],
    [{ min: 0.99 }, 0.99, 'pass', '0.99'],
    [{ min: 0.99 }, 0.5, 'fail', '0.5, at least 0.99 is asked for'],
    [{ min: -1, max: 1 }, 0, 'pass', '0'],
    [{ max: 1 }, 1 / 3, 'pass', '0.3333'],
    [{}, 1e12, 'pass', '1000000000000'],
  ])('%j of %d: %s', (gate, value, outcome, why) => {
    expect(judgeValue(gate, value)).toEqual({ outcome, value, why });
  });

  it.each([
    [2, 1, 'pass', '2 over 1: 2 times it, at most 2 times it is allowed'],
    [2.5, 1, 'fail', '2.5 over 1: 2.5 times it, at most 2 times it is allowed'],
    [0, 0, 'pass', '0 over 0, at most 2 times it is allowed'],
    [0.01, 0, 'fail', '0.01 over 0, at most 2 times it is allowed'],
    [-1, 0, 'pass', '-1 over 0, at most 2 times it is allowed'],
    [1, -1, 'inconclusive', '1 over -1: of a negative baseline'],
  ])('twice at most, %d over %d: %s', (value, baseline, outcome, why) => {
    expect(judgeValue({ maxRatio: 2 }, value, baseline)).toEqual({
      ...{ outcome, value, baseline, why },
    });
  });

  it('asks for both where bounds and a baseline are given', () => {
    const gate = { max: 10, maxRatio: 2 };
    expect(judgeValue(gate, 11, 10)).toMatchObject({
      outcome: 'fail',
      why: '11 over 10, at most 10 is allowed',
    });
    expect(judgeValue(gate, 9, 4)).toMatchObject({ outcome: 'fail' });
    expect(judgeValue(gate, 8, 4)).toMatchObject({ outcome: 'pass' });
  });
});
