import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { asError, Failure, onFiles } from './failure.mjs';
import { readJson } from './files.mjs';
import { findEtcd } from './etcd-binaries.mjs';
import { findNats } from './nats-binary.mjs';
import { findPostgres } from './postgres-binaries.mjs';
import { prepare } from './prepare.mjs';
import { findRedis } from './redis-binary.mjs';
import { REPOSITORY } from './repository.mjs';
import { createTerminal } from './terminal.mjs';

/** @typedef {{ passed: number, failed: number }} Counts */

const FOLDER = join(REPOSITORY, '.pawl-test');
const NODE_24 = 'node@24.21.0';
/** What shows nothing for this long is said to be at work. */
const QUIET_MS = 15_000;

const terminal = createTerminal();

/**
 * Runs everything, to the end whatever fails, and prints `N passed, N failed` as the last line.
 *
 * @param {readonly string[]} args
 * @returns {Promise<number>} exit code
 */
export async function testAll(args) {
  const onNode24 = args.includes('--node24');
  const forVitest = args.filter((arg) => arg !== '--node24');
  /** @type {Counts} */
  const total = { passed: 0, failed: 0 };
  const add = (/** @type {Counts} */ { passed, failed }) => {
    total.passed += passed;
    total.failed += failed;
  };
  const env = await prepareAll();
  if (env === undefined) {
    add(FAILED);
  } else {
    const tests = runVitest('Tests', [process.execPath, VITEST, 'run', ...forVitest], env);
    const checks = forVitest.length === 0 ? runChecks(env, tests) : undefined;
    add(await tests);
    if (checks !== undefined) add(await checks);
    if (onNode24) add(await runVitest('Unit tests on Node 24', NODE_24_COMMAND, env));
  }
  terminal.line();
  terminal.line(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

const FAILED = { passed: 0, failed: 1 };

const bin = (/** @type {string[]} */ ...path) => join(REPOSITORY, 'node_modules', ...path);
const TSC = bin('typescript-native', 'bin', 'tsc');
const VITEST = bin('vitest', 'vitest.mjs');
const NODE_24_COMMAND = [
  'npx',
  '--yes',
  `--package=${NODE_24}`,
  '-c',
  `node ${JSON.stringify(VITEST)} run --project unit --project unit-sharing`,
];
const ESLINT = bin('eslint', 'bin', 'eslint.js');
const DEPCRUISE = bin('dependency-cruiser', 'bin', 'dependency-cruise.mjs');

/**
 * The longest first.
 *
 * @type {readonly { title: string, args: readonly string[] }[]}
 */
const CHECKS = [
  { title: 'Lint', args: [ESLINT, '.'] },
  { title: 'Types of the tests', args: [TSC, '-p', 'test/tsconfig.json'] },
  { title: 'Types of the launcher', args: [TSC, '-p', 'infra/tsconfig.json'] },
  { title: 'Format', args: [bin('prettier', 'bin', 'prettier.cjs'), '--check', '.'] },
  {
    title: 'Imports',
    args: [DEPCRUISE, '--config', '.dependency-cruiser.cjs', 'libs', 'apps'],
  },
];

/**
 * Dependencies, build, and the servers that the tests start.
 *
 * @returns {Promise<NodeJS.ProcessEnv | undefined>} environment of the tests; `undefined` on failure
 */
async function prepareAll() {
  heading('Prepare');
  try {
    await prepare({ terminal });
    await findPostgres();
    await onFiles(FOLDER, () => mkdir(FOLDER, { recursive: true }), 'make the checkout writable');
    const options = { toolsFolder: join(FOLDER, 'tools'), terminal };
    // Where it lies the tests look, too.
    await findEtcd(options);
    return testEnvironment(await findNats(options), await findRedis(options));
  } catch (error) {
    terminal.error(`Error: ${asError(error).message}`);
    if (error instanceof Failure && error.detail !== '') terminal.error(error.detail);
    return undefined;
  }
}

/** Settings of the user's own Pawl stay out of the tests. */
function testEnvironment(
  /** @type {string} */ nats,
  /** @type {{ program: string, libraries: string }} */ redis,
) {
  const foreign = (/** @type {string} */ name) => /^PAWL_(?!TEST_)/.test(name);
  const kept = Object.entries(process.env).filter(([name]) => !foreign(name));
  return {
    ...Object.fromEntries(kept),
    PATH: `${process.env.PATH ?? ''}${delimiter}${dirname(nats)}`,
    PAWL_NATS_SERVER: nats,
    PAWL_REDIS_SERVER: redis.program,
    PAWL_REDIS_LIBRARIES: redis.libraries,
  };
}

/** @param {string} title */
function heading(title) {
  terminal.line();
  terminal.line(terminal.paint.bold(`── ${title}`));
}

/**
 * One after the other beside the tests, which leave processors free while they wait for what they have
 * started: at a low priority, so that they do not hold up tests of what happens in time. What one says is
 * shown as a whole when it has ended.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {Promise<unknown>} tests until they have ended these say that they are at work
 * @returns {Promise<Counts>}
 */
async function runChecks(env, tests) {
  let isAlone = false;
  const alone = () => (isAlone = true);
  tests.then(alone, alone);
  /** @type {string[]} */
  const failed = [];
  for (const check of CHECKS) {
    if (!(await runCheck(check, env, () => isAlone))) failed.push(check.title);
  }
  await tests;
  // Far above by now.
  for (const title of failed) terminal.error(`Failed: ${title}`);
  return { passed: CHECKS.length - failed.length, failed: failed.length };
}

/**
 * @param {{ title: string, args: readonly string[] }} check @param {NodeJS.ProcessEnv} env
 * @param {() => boolean} isAlone
 * @returns {Promise<boolean>} whether it passed
 */
async function runCheck({ title, args }, env, isAlone) {
  /** @type {[NodeJS.WriteStream, Buffer][]} */
  const said = [];
  const since = Date.now();
  const code = await execute([process.execPath, ...args], env, {
    title,
    show: (to, chunk) => void said.push([to, chunk]),
    priority: constants.priority.PRIORITY_BELOW_NORMAL,
    isQuiet: () => !isAlone(),
  });
  heading(title);
  for (const [to, chunk] of said) to.write(chunk);
  const seconds = Math.round((Date.now() - since) / 1000);
  terminal.line(`${title}: ${code === 0 ? 'passed' : 'failed'}, ${seconds} s`);
  return code === 0;
}

/**
 * @param {string} title @param {readonly string[]} command @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Counts>} as vitest's reporter wrote them; a run that ended without them failed
 */
async function runVitest(title, command, env) {
  heading(title);
  const file = join(FOLDER, `counts-${process.pid}.json`);
  await rm(file, { force: true });
  const code = await execute(
    command,
    { ...env, PAWL_TEST_COUNTS: file },
    {
      title,
      show: (to, chunk, timer) => {
        timer.refresh();
        to.write(chunk);
      },
    },
  );
  const counts = await readJson(file);
  await rm(file, { force: true });
  if (typeof counts?.passed !== 'number' || typeof counts.failed !== 'number') return FAILED;
  const failed = code !== 0 && counts.failed === 0 ? 1 : counts.failed;
  return { passed: counts.passed, failed };
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
let isStopped = false;

/** A signal to this process alone must not leave tests behind: it ends once all that it has started have. */
function stop() {
  isStopped = true;
  for (const child of running) child.kill('SIGTERM');
}

/** @param {import('node:child_process').ChildProcess} child @param {number} priority */
function lower({ pid }, priority) {
  if (pid === undefined) return;
  try {
    setPriority(pid, priority);
  } catch {
    // It has ended already.
  }
}

/**
 * @param {readonly string[]} command @param {NodeJS.ProcessEnv} env
 * @param {{
 *   title: string,
 *   show: (to: NodeJS.WriteStream, chunk: Buffer, timer: NodeJS.Timeout) => void,
 *   priority?: number,
 *   isQuiet?: () => boolean,
 * }} output `show` is given what it says, and the timer that says that it is at work; it does not while
 * `isQuiet`
 * @returns {Promise<number>} exit code
 */
function execute([file = '', ...args], env, { title, show, priority, isQuiet = () => false }) {
  const since = Date.now();
  const timer = setInterval(() => {
    if (isQuiet()) return;
    terminal.line(`… ${title}, ${Math.round((Date.now() - since) / 1000)} s`);
  }, QUIET_MS);
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: REPOSITORY, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const pass = (/** @type {NodeJS.WriteStream} */ to) => (/** @type {Buffer} */ chunk) =>
      show(to, chunk, timer);
    if (priority !== undefined) lower(child, priority);
    child.stdout.on('data', pass(process.stdout));
    child.stderr.on('data', pass(process.stderr));
    if (running.size === 0) process.on('SIGTERM', stop);
    running.add(child);
    const end = (/** @type {number} */ code) => {
      clearInterval(timer);
      running.delete(child);
      if (running.size === 0) process.off('SIGTERM', stop);
      if (!isStopped) resolve(code);
      else if (running.size === 0) process.exit(143);
    };
    child.once('error', (error) => {
      terminal.error(`${file}: ${error.message}`);
      end(1);
    });
    child.once('close', (code) => end(code ?? 1));
  });
}
