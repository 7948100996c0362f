import { expect, it } from 'vitest';
import { EXIT } from '../../exit-codes.js';
import { runCli } from '../../run-cli.js';
import { quorumSettings } from './quorum-settings.js';

const NO_TERMINAL = {
  out: () => undefined,
  isTty: false,
  isInputTty: false,
  columns: 80,
  color: false,
  readInput: () => Promise.resolve(''),
  ask: () => Promise.resolve(null),
  now: () => 0,
};

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

it.each([
  ['--etcd-port', '99999'],
  ['--peers', 'nonsense'],
  ['--election-ms', '100'],
])('takes a wrong value for a wrong use of the command: %s %s', async (...args) => {
  const signal = AbortSignal.abort();
  let err = '';
  const terminal = { ...NO_TERMINAL, err: (text: string) => void (err += text) };
  const code = await runCli({ args: ['quorum', ...args], env: {}, terminal, signal });
  expect(code).toBe(EXIT.usage);
  expect(err).toContain(args[0]);
});
