import type { HistoryItem } from '@pawl/contracts';
import { expect, it } from 'vitest';
import { whyText } from './why-text.js';

const RELEASE: HistoryItem = { at: '', author: 'ada', kind: 'release', action: 'promote' };
const why = (more: Partial<HistoryItem>): string => whyText({ ...RELEASE, ...more });

it.each([
  ['inline: preflight', 'a strategy of its own: preflight'],
  ['inline: stage 2 of 3', 'a strategy of its own: stage 2 of 3'],
  ['inline, to begin at 2026-12-01', 'a strategy of its own, to begin at 2026-12-01'],
  ['inline', 'a strategy of its own'],
  ['canary: preflight', 'canary: preflight'],
  ['inline-skates: preflight', 'inline-skates: preflight'],
])('says of %j what a person understands', (message, text) => {
  expect(why({ message })).toBe(text);
});

it('leaves alone what a person has said', () => {
  expect(why({ message: 'inline: preflight', reason: 'inline: as agreed' })).toBe(
    'inline: as agreed',
  );
  expect(why({ kind: 'definition', message: 'inline: the limits' })).toBe('inline: the limits');
});

it('says nothing where nothing was said, and of a pin both', () => {
  expect(why({})).toBe('');
  expect(why({ action: 'pin', message: 'acme at 3', reason: 'slow' })).toBe('acme at 3: slow');
});
