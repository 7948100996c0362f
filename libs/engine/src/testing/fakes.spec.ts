import { describe, it } from 'vitest';
import { FakeStatusStore, FakeTruthStore, statusStoreCases, truthStoreCases } from './index.js';

const installation = { name: 'main', id: 'test', generation: 1, shards: 4 };

describe('FakeTruthStore', () => {
  for (const { name, run } of truthStoreCases) {
    it(name, () => run({ truth: new FakeTruthStore(installation), shards: 4 }));
  }
});

describe('FakeStatusStore', () => {
  for (const { name, run } of statusStoreCases) {
    it(name, () =>
      run({ status: new FakeStatusStore(4), shards: 4, own: () => Promise.resolve() }),
    );
  }
});
