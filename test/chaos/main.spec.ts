import { afterEach, expect, it, vi } from 'vitest';
import { FAULTS } from './faults/catalogue.js';
import { main } from './main.js';

afterEach(() => vi.restoreAllMocks());

async function ran(...args: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void out.push(text));
  vi.spyOn(console, 'error').mockImplementation((text: string) => void err.push(text));
  const code = await main(args);
  return { code, out: out.join('\n'), err: err.join('\n') };
}

it('ends with 2, and names all faults, where none has the name', async () => {
  const { code, out, err } = await ran('--only', 'nosuch');
  expect([code, err]).toEqual([2, '--only nosuch: no fault has this in its name; these are all']);
  for (const { name } of FAULTS) expect(out).toContain(name);
});

it('names all faults when asked to', async () => {
  const { code, out, err } = await ran('--only', '?');
  expect([code, err]).toEqual([0, '']);
  for (const { name } of FAULTS) expect(out).toContain(name);
});

it.each([
  ['minutes', 'soon'],
  ['histories', '0'],
  ['seed', 'x'],
  ['nodes', '3,4'],
])('ends with 2 for --%s %s, instead of proving nothing', async (flag, value) => {
  const { code, err } = await ran(`--${flag}`, value);
  expect([code, err]).toEqual([2, expect.stringContaining(`--${flag} ${value} cannot be done`)]);
});
