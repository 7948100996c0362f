import { expect, it } from 'vitest';
import { quorumSettings } from './quorum-settings.js';

it('takes options before variables, and switches without a value', () => {
  const env = { PAWL_NODE_ID: 'a', PAWL_PEER_PORT: '1', PAWL_JOIN: 'false' };
  const flags = { nodeId: 'b', peers: 'c=h:1,b=h:2', join: true as const };
  const { settings } = quorumSettings(env, flags);
  expect(settings.nodeId).toBe('b');
  expect(settings.quorum).toMatchObject({
    join: true,
    peers: [{ id: 'c' }],
    peer: { listen: { port: 1 }, advertise: { host: 'h', port: 2 } },
  });
});

it('says what is wrong in the words that were typed', () => {
  const say = (env: Record<string, string>, flags: Record<string, string>): string => {
    try {
      quorumSettings(env, flags);
      return 'nothing';
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(say({}, { peerPort: 'x' })).toMatch(/^--peer-port must be a whole number .*, not "x"\.$/);
  expect(say({ PAWL_PEER_PORT: 'x' }, {})).toMatch(/^PAWL_PEER_PORT must be/);
  expect(say({}, { heartbeatMs: '100' })).toBe(
    'PAWL_ELECTION_MS must be at least five times --heartbeat-ms, here 500.',
  );
  expect(say({}, { peerPort: 'x', etcdPort: 'y' })).toMatch(/^--peer-port.*\npawl: --etcd-port/);
});
