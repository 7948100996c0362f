import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;

beforeEach(async () => {
  test = await startTestApp();
});

afterEach(() => test.close());

it('tells where the members of the quorum are, and who does not vote', async () => {
  const answer = await test.app.inject({ method: 'GET', url: '/v1/cluster' });
  const { quorum } = answer.json<{ quorum: object }>();
  expect(quorum).toMatchObject({
    learners: ['node-2'],
    replication: [{ id: 'node-2', behind: 3 }],
    addresses: [
      { id: 'node-1', peer: '10.0.0.1:7480', clients: ['10.0.0.1:7479'] },
      { id: 'node-2', peer: '10.0.0.2:7480', clients: ['10.0.0.2:7479'] },
    ],
  });
  expect(quorum).toHaveProperty('leader');
});
