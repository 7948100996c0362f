import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { cliPrefix, describeNext } from './advice.mjs';
import { startControlPlane } from './control-plane.mjs';
import { assertWholeDatabase } from './database-files.mjs';
import { layOut, openDataFolder } from './data-folder.mjs';
import { poll } from './delay.mjs';
import { asError, Failure, fileFailure, onFiles, Stopped } from './failure.mjs';
import { firstRollout, hasDemoAddress, isEmptyInstallation } from './first-rollout.mjs';
import { FLEET_ADDRESS, FLEET_SIZE, startFleet } from './fleet.mjs';
import { describeFleetMessage } from './fleet-messages.mjs';
import { listenForStop, startedByNpm } from './interruption.mjs';
import { createRecorder, isEnding, readRecord, removeDrafts } from './launch-record.mjs';
import { takeLock } from './lock.mjs';
import { lastComplaint } from './logs.mjs';
import { findNats } from './nats-binary.mjs';
import { startNats } from './nats.mjs';
import { NodeKeeper } from './node-keeper.mjs';
import { finishForgetting, forgetNode, planNodes } from './node-plan.mjs';
import { startNode, startNodes } from './nodes.mjs';
import { stopOrphans } from './orphans.mjs';
import { assertDistinct, assertFree, assertReachable, portsOf } from './ports.mjs';
import { startPostgres } from './postgres.mjs';
import { prepare } from './prepare.mjs';
import { HELP, readSettings, UsageError } from './settings.mjs';
import { logFileOf, Stack } from './stack.mjs';
import { createTerminal } from './terminal.mjs';

/**
 * @typedef {import('./settings.mjs').LauncherSettings} LauncherSettings
 * @typedef {import('./data-folder.mjs').DataFolder} DataFolder
 * @typedef {import('./service.mjs').Service} Service
 * @typedef {import('./node-plan.mjs').PlannedNode} PlannedNode
 */

/** Another launcher that is on its way out may take this long. */
const WAIT_FOR_ENDING_MS = 75_000;
const FORCED = 130;

/**
 * `npm start`: everything from a bare clone to a control plane that serves, until it is interrupted.
 *
 * @param {readonly string[]} args
 * @returns {Promise<number>} exit code
 */
export async function launch(args) {
  const terminal = createTerminal();
  try {
    const settings = readSettings(args, process.env);
    if (settings === 'help') {
      terminal.line(HELP.trimEnd());
      return 0;
    }
    return await new Launcher(settings, terminal).run();
  } catch (error) {
    complain(terminal, error);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** @param {import('./terminal.mjs').Terminal} terminal @param {unknown} error */
export function complain(terminal, error) {
  const { message } = asError(error);
  terminal.error(`${terminal.paint.red('Error:')} ${message}`);
  if (error instanceof Failure && error.detail !== '') terminal.error(error.detail);
}

class Launcher {
  /** @type {Stack | undefined} */
  #stack;
  /** @type {NodeKeeper | undefined} of several control planes */
  #keeper;
  /** @type {(error: Error) => void} */
  #fail = () => undefined;
  /** Rejects when something that should run on ends. */
  #broken = new Promise((_, reject) => (this.#fail = reject));
  #telling = false;

  /** @param {LauncherSettings} settings @param {import('./terminal.mjs').Terminal} terminal */
  constructor(settings, terminal) {
    this.settings = settings;
    this.terminal = terminal;
    this.npm = startedByNpm();
    this.interruption = listenForStop({ npm: this.npm, onForce: () => void this.#force() });
    this.signal = this.interruption.signal;
    this.#broken.catch(() => undefined);
  }

  async run() {
    try {
      await this.#start();
      await Promise.race([this.#broken, interrupted(this.signal)]);
    } catch (error) {
      if (!this.signal.aborted) {
        complain(this.terminal, error);
        await this.#stop();
        return 1;
      }
    }
    this.terminal.close();
    this.terminal.line();
    const step = this.terminal.step('Stopping');
    await this.#stop();
    step.done();
    return 0;
  }

  /** One after the other, so that each node hands its shards over while others are there. */
  async #stop() {
    await this.#keeper?.close();
    await this.#stack?.stop();
    await this.#keeper?.forgetRemoved();
  }

  async #force() {
    this.terminal.line('Stopping at once.');
    await this.#stack?.kill();
    process.exit(FORCED);
  }

  async #start() {
    const { settings, terminal, signal } = this;
    await this.#refuseEarly();
    const data = await openDataFolder(settings.dataFolder);
    await onFiles(data.locks, () => this.#takeLock(data));
    // What is refused is refused before anything that runs is stopped.
    const nodes = await planNodes(data, settings);
    assertDistinct(portsOf(settings, nodes));
    const recorder = createRecorder(data.record, this.npm);
    const orphans = await stopOrphans(data);
    if (orphans.length > 0) {
      terminal.line(`Stopped what an earlier start left running: ${orphans.join(', ')}.`);
    }
    await onFiles(data.path, async () => {
      await removeDrafts(data.record);
      await removeDrafts(data.nodesRecord);
      await finishForgetting(data);
    });
    await recorder.write();
    this.#stack = new Stack(recorder, (service) => this.#onDeath(service));
    await this.#checkPorts(nodes);
    await prepare({ terminal, signal });
    const postgresUrl = settings.postgres.url ?? (await this.#startPostgres(data));
    const natsUrl = settings.nats.url ?? (await this.#startNats(data));
    const env = { PAWL_POSTGRES_URL: postgresUrl, PAWL_NATS_URL: natsUrl };
    const running = nodes && (await this.#startNodes(data, nodes, env));
    const url = running?.[0]?.url ?? (await this.#startControlPlane(data, env));
    await recorder.enter('running', url);
    const fleet = settings.demo && (await this.#demo(data, { url, natsUrl }));
    this.#telling = true;
    terminal.line();
    terminal.line(describeNext({ url, data, fleet, nodes: running, paint: terminal.paint }));
  }

  /** What is refused leaves nothing behind where there was no folder. */
  async #refuseEarly() {
    const { dataFolder } = this.settings;
    if (existsSync(dataFolder)) return;
    const nodes = await planNodes(layOut(dataFolder), this.settings);
    assertDistinct(portsOf(this.settings, nodes));
    await this.#checkPorts(nodes);
  }

  /** One that is on its way out is waited for; one that runs is not disturbed. */
  async #takeLock(/** @type {DataFolder} */ data) {
    const first = await takeLock(data.locks);
    if (first.held) return;
    const { pid } = first.holder;
    /** @type {import('./terminal.mjs').Step | undefined} */
    let step;
    const taken = await poll(
      async () => {
        if ((await takeLock(data.locks)).held) return 'taken';
        if (!isEnding(await readRecord(data.record))) return 'runs';
        step ??= this.terminal.step(`Waiting for process ${pid}, which starts or stops here`);
        return undefined;
      },
      { deadlineMs: WAIT_FOR_ENDING_MS, everyMs: 100, signal: this.signal },
    );
    if (taken === 'taken') {
      step?.done();
      return;
    }
    step?.fail();
    const http = (await readRecord(data.record))?.http;
    throw new Failure(
      `Pawl already runs on ${data.path}: process ${pid}` +
        `${http === undefined ? '' : `, at ${http}`}. Stop it first (kill ${pid}), ` +
        'or choose another data folder with PAWL_DATA_DIR.',
    );
  }

  async #checkPorts(/** @type {readonly PlannedNode[] | undefined} */ nodes) {
    const { postgres, nats } = this.settings;
    await assertFree(portsOf(this.settings, nodes));
    if (postgres.url !== undefined) {
      const setting = 'PAWL_POSTGRES_URL';
      await assertReachable({ url: postgres.url, setting, what: 'PostgreSQL', defaultPort: 5432 });
    }
    if (nats.url !== undefined) {
      const setting = 'PAWL_NATS_URL';
      await assertReachable({ url: nats.url, setting, what: 'NATS', defaultPort: 4222 });
    }
  }

  /** @param {DataFolder} data */
  async #startPostgres(data) {
    const { url, service } = await this.#step('Starting PostgreSQL', async (step) => {
      await assertWholeDatabase(data.postgres);
      const running = await startPostgres({
        folder: data.postgres,
        logFile: logFileOf(data.logs, 'postgres'),
        port: this.settings.postgres.port,
        signal: this.signal,
        onInit: () => step.update('making its data folder'),
        onCopy: () => step.update('copying its programs to where its account may run them'),
        onSpawn: this.#spawned,
      });
      return { result: running, detail: `port ${running.port}` };
    });
    this.#stack?.watch(service);
    return url;
  }

  /** @param {DataFolder} data */
  async #startNats(data) {
    const { terminal, signal } = this;
    const program = await findNats({ toolsFolder: data.tools, terminal, signal });
    const { url, service } = await this.#step('Starting NATS', async () => {
      const running = await startNats({
        program,
        folder: data.nats,
        logFile: logFileOf(data.logs, 'nats'),
        port: this.settings.nats.port,
        signal,
        onSpawn: this.#spawned,
      });
      return { result: running, detail: `port ${running.port}` };
    });
    this.#stack?.watch(service);
    return url;
  }

  /** @param {DataFolder} data @param {NodeJS.ProcessEnv} env */
  async #startControlPlane(data, env) {
    const { url, service } = await this.#step('Starting the control plane', async () => {
      const running = await startControlPlane({
        data,
        env,
        logFile: logFileOf(data.logs, 'control-plane'),
        signal: this.signal,
        onSpawn: this.#spawned,
      });
      return { result: running, detail: running.url };
    });
    this.#stack?.watch(service);
    return url;
  }

  /** @param {DataFolder} data @param {readonly PlannedNode[]} nodes @param {NodeJS.ProcessEnv} env */
  async #startNodes(data, nodes, env) {
    const { quorum } = this.settings;
    const peerHost = quorum.find(({ setting }) => setting === 'PAWL_PEER_PORT')?.host ?? '';
    const onSpawn = (/** @type {PlannedNode} */ node, /** @type {Service} */ service) => {
      this.#spawned(service);
      this.#keeper?.spawned(node, service);
    };
    const group = { data, nodes, peerHost, env, onSpawn };
    const keeper = new NodeKeeper({
      start: async (node, signal) => {
        const running = await startNode(group, { node, members: nodes, signal });
        this.#stack?.watch(running.service);
        return running.url;
      },
      forget: (node) => forgetNode(data, node),
      say: (line) => this.terminal.line(line),
      giveUp: this.#fail,
    });
    this.#keeper = keeper;
    return startNodes(group, {
      step: (label, work) => this.#step(label, work),
      signal: this.signal,
      started: ({ node, service }) => {
        keeper.keep(node);
        this.#stack?.watch(service);
      },
      forget: (node) => keeper.forget(node),
    });
  }

  /**
   * A demo that goes wrong leaves a control plane that works.
   *
   * @param {DataFolder} data @param {{ url: string, natsUrl: string }} at
   * @returns {Promise<boolean>} whether the fleet runs
   */
  async #demo(data, { url, natsUrl }) {
    const { terminal, signal } = this;
    let fleet = false;
    const start = async () => {
      await this.#startFleet(data, natsUrl);
      fleet = true;
    };
    try {
      if (await isEmptyInstallation(url, signal)) {
        await rm(data.demoCache, { recursive: true, force: true });
        await firstRollout({ url, terminal, signal, startFleet: start });
      } else if (await hasDemoAddress(url, signal)) {
        await start();
      }
    } catch (error) {
      if (signal.aborted || error instanceof Stopped) throw error;
      terminal.line();
      complain(terminal, error);
      terminal.line(
        `The demo ended early; Pawl itself runs. ${cliPrefix(data)}npm run demo repeats the demo.`,
      );
    }
    return fleet;
  }

  /** @param {DataFolder} data @param {string} natsUrl */
  async #startFleet(data, natsUrl) {
    await this.#step(`Starting ${FLEET_SIZE} consumers of ${FLEET_ADDRESS}`, async () => {
      const fleet = await startFleet({
        data,
        natsUrl,
        installation: this.settings.installation,
        signal: this.signal,
        onSpawn: this.#spawned,
        onMessage: (message) => {
          if (this.#telling) this.terminal.line(`fleet: ${describeFleetMessage(message)}`);
        },
      });
      this.#stack?.watch(fleet);
      return { result: undefined, detail: `process ${fleet.pid}` };
    });
  }

  #spawned = (/** @type {Service} */ service) => this.#stack?.add(service);

  /**
   * @template T
   * @param {string} label
   * @param {(step: import('./terminal.mjs').Step) => Promise<{ result: T, detail: string }>} work
   * @returns {Promise<T>}
   */
  async #step(label, work) {
    const step = this.terminal.step(label);
    try {
      const { result, detail } = await work(step);
      step.done(detail);
      return result;
    } catch (error) {
      if (!this.signal.aborted) step.fail();
      throw fileFailure(error, this.settings.dataFolder);
    }
  }

  /** @param {Service} service */
  #onDeath(service) {
    const { title, tail, logFile, name, child } = service;
    const { exitCode, signalCode } = child;
    const end = signalCode ?? `exit code ${exitCode}`;
    const sentence = `${title} ended unexpectedly with ${end}; its log is ${logFile}.`;
    if (this.#keeper?.keeps(name) === true) {
      this.#keeper.died(service, sentence);
      return;
    }
    if (name === 'demo-fleet') {
      const prefix = cliPrefix({ path: this.settings.dataFolder });
      this.terminal.line(`${sentence} ${prefix}npm run demo starts another.`);
      return;
    }
    const complaint = signalCode === null ? lastComplaint(tail()) : undefined;
    const detail = complaint === undefined ? '' : `${title} says: ${complaint}`;
    const next = `${cliPrefix({ path: this.settings.dataFolder })}npm start`;
    const rest = `Stopping the rest; ${next} again continues from its data.`;
    this.#fail(new Failure(`${sentence} ${rest}`, { detail }));
  }
}

/** @param {AbortSignal} signal @returns {Promise<void>} */
function interrupted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
