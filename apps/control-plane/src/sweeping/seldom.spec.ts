import { ManualTime } from '@pawl/kernel';
import { expect, it } from 'vitest';
import { seldom } from './seldom.js';

it('says the first at once, then one in a while with how many were left out', () => {
  const time = new ManualTime();
  const said: [string, number][] = [];
  const say = seldom<string>((what, leftOut) => said.push([what, leftOut]), 10_000, time);
  for (const what of ['a', 'b', 'c']) say(what);
  time.advance(9_999);
  say('d');
  time.advance(1);
  say('e');
  say('f');
  time.advance(20_000);
  say('g');
  expect(said).toEqual([
    ['a', 0],
    ['e', 3],
    ['g', 1],
  ]);
});
