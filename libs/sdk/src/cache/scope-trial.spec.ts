import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualTime } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { recordOf } from '../testing/process-life.js';
import { ScopeTrial } from './scope-trial.js';
import { decodeTrial } from './trial.js';
import { TrialFile } from './trial-file.js';

/** A file whose writes end when the test says so. */
class HeldFile extends TrialFile {
  text = '';
  readonly ends: ((failure?: Error) => void)[] = [];

  constructor() {
    super('');
  }

  override async replace(text: string): Promise<void> {
    const failure = await new Promise<Error | undefined>((resolve) => this.ends.push(resolve));
    if (failure !== undefined) throw failure;
    this.text = text;
  }

  override replaceNow(text: string): void {
    this.text = text;
  }
}

function trialOn(file: TrialFile): ScopeTrial {
  return new ScopeTrial({
    ...{ file, limits: { settleMs: 60_000, windowMs: 10_000 }, build: null },
    ...{ timer: new ManualTime(), clock: new ManualTime(), mayWrite: async () => true },
    ...{ onFailure: () => undefined, onSettled: () => undefined },
  });
}

describe('what is noted at once while something is being written', () => {
  const GONE = new Error('what was to be renamed is gone');

  it.each([
    ['gets in its way', GONE],
    ['comes before it', undefined],
  ])('%s: stands in the end', async (_, failure) => {
    const file = new HeldFile();
    const trial = trialOn(file);
    const beginning = trial.begin(recordOf(1), 'open');
    await expect.poll(() => file.ends.length).toBe(1);
    trial.endNow('clean');
    file.ends[0]?.(failure);
    if (failure === undefined) {
      await expect.poll(() => file.ends.length).toBe(2);
      file.ends[1]?.();
    }
    await beginning;
    expect(decodeTrial(file.text)).toMatchObject({ state: 'closed', uncleanEnds: 0 });
  });

  it('has nothing to do with a write that fails by itself', async () => {
    const file = new HeldFile();
    const beginning = trialOn(file).begin(recordOf(1), 'open');
    await expect.poll(() => file.ends.length).toBe(1);
    file.ends[0]?.(GONE);
    await expect(beginning).rejects.toBe(GONE);
  });
});

describe('an unclean end', () => {
  it.each([
    ['counts for what runs', 1, 1],
    ['does not count for what another is about to replace', 2, 0],
  ])('%s', async (_, version, uncleanEnds) => {
    const file = new HeldFile();
    const trial = trialOn(file);
    const beginning = trial.begin(recordOf(1), 'open');
    await expect.poll(() => file.ends.length).toBe(1);
    file.ends[0]?.();
    await beginning;
    trial.replacing(recordOf(version));
    trial.endNow('unclean');
    expect(decodeTrial(file.text)).toMatchObject({ state: 'closed', uncleanEnds });
  });
});

describe('TrialFile', () => {
  it('takes the ground from under a write that is under way', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pawl-trial-'));
    const file = new TrialFile(join(folder, 'trial'));
    expect(await file.read()).toBeUndefined();
    await file.replace('first');
    await writeFile(`${file.path}.tmp`, 'about to be renamed');
    file.replaceNow('last');
    expect(await readdir(folder)).toEqual(['trial']);
    expect(await readFile(file.path, 'utf8')).toBe('last');
    expect(await file.read()).toBe('last');
    await rm(folder, { recursive: true });
  });
});
