import { MetadataUnavailableError } from '@pawl/metadata';
import { expect, it } from 'vitest';
import { untilAnswered } from './until-answered.js';

it('waits for an answer, and says so once', async () => {
  const said: string[] = [];
  let tries = 0;
  const work = async (): Promise<number> => {
    tries += 1;
    if (tries < 4) throw new MetadataUnavailableError('nobody leads', 'no');
    return tries;
  };
  expect(await untilAnswered(work, (text) => void said.push(text))).toBe(4);
  expect(said).toEqual(['waiting for a majority of the quorum: nobody leads']);
});

it('passes on what waiting does not mend', async () => {
  const work = () => Promise.reject(new Error('another installation'));
  await expect(untilAnswered(work, () => undefined)).rejects.toThrow('another installation');
});
