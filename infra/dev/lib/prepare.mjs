import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { isBundled } from './bundle.mjs';
import { poll } from './delay.mjs';
import { Failure, onFiles, Stopped } from './failure.mjs';
import { readJson, readTextSync, replaceFile } from './files.mjs';
import { takeLock } from './lock.mjs';
import { identify, isAlive } from './process-identity.mjs';
import { BUNDLES, REPOSITORY, TSC, WRITE_BUNDLE } from './repository.mjs';
import { killGroup, run } from './run.mjs';

/**
 * @typedef {import('./terminal.mjs').Terminal} Terminal
 * @typedef {{ terminal: Terminal, signal?: AbortSignal }} Context
 */

const INSTALL_DEADLINE_MS = 15 * 60_000;
const BUILD_DEADLINE_MS = 5 * 60_000;
const WAIT_FOR_OTHER_MS = 20 * 60_000;
const PROGRESS_EVERY_MS = 400;
const LOCK_FOLDER = join(REPOSITORY, '.pawl-build');
/** Lock file that npm ci last installed from; npm ci removes it together with everything else. */
const STAMP = join(REPOSITORY, 'node_modules', '.pawl-installed');
const RUNNING = join(LOCK_FOLDER, 'running.json');

/**
 * Installs the dependencies as the lock file says, unless they are there, and builds what is not up
 * to date. Two who do this at once in one checkout do it one after the other.
 *
 * @param {Context} context
 */
export async function prepare(context) {
  const lock = await onFiles(
    LOCK_FOLDER,
    () => takeBuildLock(context),
    'make the checkout writable',
  );
  try {
    await endLeftover();
    await install(context);
    await build(context);
  } finally {
    await rm(RUNNING, { force: true });
    await lock.release();
  }
}

/** @param {Context} context */
async function takeBuildLock({ terminal, signal }) {
  const first = await takeLock(LOCK_FOLDER);
  if (first.held) return first;
  const step = terminal.step(`Waiting for process ${first.holder.pid}, which is building here`);
  const taken = await poll(
    async () => {
      const answer = await takeLock(LOCK_FOLDER);
      return answer.held && answer;
    },
    { deadlineMs: WAIT_FOR_OTHER_MS, everyMs: 200, ...(signal && { signal }) },
  );
  step.done();
  if (taken !== undefined) return taken;
  throw new Failure(`Process ${first.holder.pid} is still installing and building here: end it.`);
}

/** An npm or a compiler that outlived its launcher would write into ours. */
async function endLeftover() {
  const leftover = await readJson(RUNNING);
  if (!isAlive(leftover)) return;
  killGroup(leftover.pid, 'SIGTERM');
  const gone = await poll(() => !isAlive(leftover), { deadlineMs: 5_000 });
  if (gone === undefined) killGroup(leftover.pid, 'SIGKILL');
}

/** @param {number} pid */
function recordRunning(pid) {
  const identity = identify(pid);
  if (identity !== undefined) void replaceFile(RUNNING, JSON.stringify(identity)).catch(() => {});
}

/** @param {Context} context */
export async function install({ terminal, signal }) {
  const lockText = await readLock();
  const wanted = wantedPackages(lockText);
  if (await isInstalled(lockText, wanted)) return;
  const step = terminal.step('Installing dependencies');
  const needed = wanted.filter(({ optional }) => !optional);
  const timer = setInterval(() => {
    const there = needed.filter(({ path }) => isPresent(path)).length;
    step.progress(there, needed.length, 'packages');
  }, PROGRESS_EVERY_MS);
  try {
    const [command = 'npm', ...before] = npmCommand();
    const { code, output } = await run(command, [...before, 'ci', ...NPM_OPTIONS], {
      cwd: REPOSITORY,
      deadlineMs: INSTALL_DEADLINE_MS,
      onSpawn: recordRunning,
      ...(signal && { signal }),
    });
    if (code !== 0) throw installFailure(output);
    await onFiles(STAMP, () => replaceFile(STAMP, stampOf(lockText)));
  } catch (error) {
    if (!(error instanceof Stopped)) step.fail();
    throw error;
  } finally {
    clearInterval(timer);
  }
  step.done();
}

/** Development tools and platform binaries are needed whatever the user's npm configuration says. */
const NPM_OPTIONS = [
  '--include=dev',
  '--include=optional',
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--loglevel=error',
];

function npmCommand() {
  const script = process.env.npm_execpath;
  const isNpm = script !== undefined && /npm-cli\.c?js$/.test(script) && existsSync(script);
  return isNpm ? [process.execPath, script] : ['npm'];
}

/** @param {string} output */
function installFailure(output) {
  const errors = output
    .split('\n')
    .filter((line) => /^npm (error|ERR!)/i.test(line))
    .map((line) => line.replace(/^npm (error|ERR!)\s*/i, ''));
  const text = output;
  if (/ENOSPC/.test(text)) {
    return new Failure(
      `The disk that holds ${REPOSITORY} is full: free some space and start again.`,
    );
  }
  if (/EACCES|EPERM|EROFS/.test(text)) {
    return new Failure(`npm ci has no permission to write below ${REPOSITORY}.`, {
      detail: errors.join('\n'),
    });
  }
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH/.test(text)) {
    return new Failure(
      'npm ci cannot reach the package registry: check the network and start again.',
      {
        detail: errors.slice(0, 3).join('\n'),
      },
    );
  }
  return new Failure('npm ci failed.', { detail: errors.join('\n') || output.slice(-2_000) });
}

async function readLock() {
  const path = join(REPOSITORY, 'package-lock.json');
  try {
    const text = await readFile(path, 'utf8');
    JSON.parse(text);
    return text;
  } catch (error) {
    throw new Failure(`${path} is missing or broken: get it back with git checkout.`, {
      cause: error,
    });
  }
}

/**
 * @typedef {{ path: string, version: string | undefined, optional: boolean }} Wanted
 *
 * What the lock file wants below node_modules on this platform.
 *
 * @param {string} lockText
 * @returns {Wanted[]}
 */
function wantedPackages(lockText) {
  return Object.entries(JSON.parse(lockText).packages ?? {})
    .filter(([path]) => path.includes('node_modules/'))
    .filter(([, entry]) => fitsPlatform(entry))
    .map(([path, { version, optional, link }]) => ({
      path,
      version: link === true ? undefined : version,
      optional: optional === true,
    }));
}

/** @param {string} lockText */
function stampOf(lockText) {
  return createHash('sha256').update(lockText).digest('hex');
}

/** @param {{ os?: string[], cpu?: string[], libc?: string[] }} entry */
function fitsPlatform({ os, cpu }) {
  return lists(os, process.platform) && lists(cpu, process.arch);
}

/** npm's rule: names, or names to leave out with a leading exclamation mark. */
function lists(/** @type {string[] | undefined} */ names, /** @type {string} */ name) {
  if (names === undefined || names.length === 0) return true;
  if (names.includes(`!${name}`)) return false;
  return names.includes(name) || names.every((entry) => entry.startsWith('!'));
}

/** @param {string} path */
function isPresent(path) {
  return existsSync(join(REPOSITORY, path, 'package.json'));
}

/**
 * npm writes its own record last, so an installation that was cut off has none. What it recorded has
 * to be there, and to be what this lock file wants: our stamp says so, or the versions do.
 *
 * @param {string} lockText @param {readonly Wanted[]} wanted
 */
async function isInstalled(lockText, wanted) {
  const record = await readJson(join(REPOSITORY, 'node_modules', '.package-lock.json'));
  if (typeof record?.packages !== 'object') return false;
  const paths = Object.keys(record.packages).filter((path) => path.includes('node_modules/'));
  if (!paths.every(isPresent)) return false;
  if (readTextSync(STAMP) === stampOf(lockText)) return true;
  return wanted.every(({ path, version, optional }) => {
    const there = record.packages[path];
    return there === undefined ? optional : version === undefined || there.version === version;
  });
}

/**
 * Compiles what changed since the last time, and bundles what is started most.
 *
 * @param {Context} context
 */
export async function build({ terminal, signal }) {
  const missing = await forgetLostOutputs();
  const step = terminal.step(missing > 0 ? 'Building' : 'Building what changed');
  try {
    const { code, output } = await run(process.execPath, [TSC, '-b'], {
      cwd: REPOSITORY,
      deadlineMs: BUILD_DEADLINE_MS,
      onSpawn: recordRunning,
      ...(signal && { signal }),
    });
    if (code !== 0) throw buildFailure(output);
    await bundle(signal);
    step.done();
  } catch (error) {
    if (!(error instanceof Stopped)) step.fail();
    throw error;
  }
}

/** In a process of its own, which a stop can end. */
async function bundle(/** @type {AbortSignal | undefined} */ signal) {
  const bundled = await Promise.all(BUNDLES.map(({ file }) => isBundled(file)));
  if (!bundled.includes(false)) return;
  const { code, output } = await run(process.execPath, [WRITE_BUNDLE], {
    cwd: REPOSITORY,
    deadlineMs: BUILD_DEADLINE_MS,
    onSpawn: recordRunning,
    ...(signal && { signal }),
  });
  if (code !== 0) throw buildFailure(output);
}

/** @param {string} output */
function buildFailure(output) {
  if (/ENOSPC|no space left/i.test(output)) {
    return new Failure(
      `The disk that holds ${REPOSITORY} is full: free some space and start again.`,
    );
  }
  return new Failure('The build failed.', { detail: output.trim() });
}

/**
 * The compiler believes its own record of a build, also when output was deleted since: forgets the
 * records of projects whose output is not complete.
 *
 * @returns {Promise<number>} how many projects have to be built from the start
 */
async function forgetLostOutputs() {
  const { references } = JSON.parse(await readFile(join(REPOSITORY, 'tsconfig.json'), 'utf8'));
  let lost = 0;
  for (const { path } of references) {
    const folder = join(REPOSITORY, path);
    const records = await recordsOf(folder);
    const outputs = await Promise.all(records.map((record) => outputsOf(folder, record)));
    if (outputs.every((paths) => paths?.every((output) => existsSync(output)))) continue;
    lost += 1;
    await Promise.all(records.map((record) => rm(record, { force: true })));
  }
  return lost;
}

/**
 * Where a project's record lies: beside its tsconfig.json. That of a pure room inside it lies in the
 * room's output.
 *
 * @param {string} folder
 */
async function recordsOf(folder) {
  const names = await readdir(join(folder, 'src'), { recursive: true });
  const rooms = names.filter((name) => basename(name) === 'tsconfig.json').map(dirname);
  const folders = [folder, ...rooms.map((room) => join(folder, 'dist', room))];
  return folders.map((path) => join(path, 'tsconfig.tsbuildinfo'));
}

/**
 * What was written for the sources that a record names; `undefined` when there is no such record.
 *
 * @param {string} folder @param {string} record
 * @returns {Promise<string[] | undefined>}
 */
async function outputsOf(folder, record) {
  const fileNames = (await readJson(record))?.fileNames;
  if (!Array.isArray(fileNames)) return undefined;
  const sources = join(folder, 'src') + sep;
  return fileNames
    .map((/** @type {string} */ name) => join(dirname(record), name))
    .filter((path) => path.startsWith(sources) && /(?<!\.d)\.ts$/.test(path))
    .map((path) => join(folder, 'dist', path.slice(sources.length).replace(/\.ts$/, '.js')));
}
