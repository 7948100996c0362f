import { expect, it } from 'vitest';
import { PatientOutput } from './patient-output.js';

/** A reader that takes a piece whenever the test says so. */
function slowReader(maxWaiting?: number) {
  const taken: string[] = [];
  const takers: (() => void)[] = [];
  const output = new PatientOutput((text, done) => {
    takers.push(() => {
      taken.push(text);
      done();
    });
  }, maxWaiting);
  return { output, taken, take: () => takers.shift()?.() };
}

it('passes lines on in their order, those that waited together', () => {
  const { output, taken, take } = slowReader();
  for (const line of ['a\n', 'b\n', 'c\n']) output.write(line);
  take();
  take();
  output.write('d\n');
  take();
  expect(taken).toEqual(['a\n', 'b\nc\n', 'd\n']);
});

it('drops what nobody reads, and says how much once somebody does', () => {
  const { output, taken, take } = slowReader(10);
  for (let n = 0; n < 9; n += 1) output.write(`${n}\n`);
  take();
  take();
  expect(taken.slice(0, 1)).toEqual(['0\n']);
  expect(taken[1]).toMatch(/^1\n2\n3\n4\n\{.*"4 lines were dropped: nobody read them"\}\n$/);
  output.write('again\n');
  take();
  expect(taken[2]).toBe('again\n');
});

it('is flushed when all was taken, or at the deadline', async () => {
  const { output, take } = slowReader();
  await output.flush(60_000);
  output.write('a\n');
  let isFlushed = false;
  const flushed = output.flush(60_000).then(() => (isFlushed = true));
  await Promise.resolve();
  expect(isFlushed).toBe(false);
  take();
  await flushed;
  output.write('nobody reads this\n');
  await output.flush(1);
});
