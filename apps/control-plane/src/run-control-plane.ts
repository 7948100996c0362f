import { createLogger, loadSettings, type Environment, type Logger } from '@pawl/platform';
import { compose, type ControlPlane, type Rooms } from './composition.js';

/** The process around the control plane; tests hand in another. */
export interface HostProcess {
  readonly env: Environment;
  on(event: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  on(
    event: 'uncaughtException' | 'unhandledRejection',
    listener: (error: unknown) => void,
  ): unknown;
  /** Prints one line for whoever started it. */
  say(line: string): void;
  exit(code: number): void;
}

/** An orderly stop that takes longer than this is given up. */
const STOP_DEADLINE_MS = 20_000;
const SIGNALLED = 130;
/** A start that a signal interrupts may come to its end for so long; what is half open is crash-safe. */
const START_GRACE_MS = 2_000;

/**
 * The life of a control plane: settings, start, signals, orderly stop. Exit code 0 after an orderly
 * stop, 1 with one clear sentence when it cannot start or something broke, 130 at a second signal.
 */
export async function runControlPlane(host: HostProcess, rooms: Rooms): Promise<void> {
  const loaded = loadSettings(host.env);
  if (!loaded.ok) {
    for (const problem of loaded.problems) host.say(`pawl: ${problem}`);
    host.exit(1);
    return;
  }
  const { settings, warnings } = loaded;
  const logger = createLogger({ level: settings.logLevel, base: { node: settings.nodeId } });
  for (const warning of warnings) logger.warn(warning);
  const life = new Life(host, logger);
  life.listenToSignals();
  try {
    await life.started(await compose(settings, rooms, logger));
  } catch (error) {
    life.failed(error);
  }
}

class Life {
  #running: ControlPlane | undefined;
  #stopping = false;
  #starting: NodeJS.Timeout | undefined;

  constructor(
    private readonly host: HostProcess,
    private readonly logger: Logger,
  ) {}

  listenToSignals(): void {
    this.host.on('SIGTERM', () => this.#signalled());
    this.host.on('SIGINT', () => this.#signalled());
    this.host.on('uncaughtException', (error) => this.#broke(error));
    this.host.on('unhandledRejection', (error) => this.#broke(error));
  }

  /** A signal that came while it started is obeyed now. */
  async started(controlPlane: ControlPlane): Promise<void> {
    clearTimeout(this.#starting);
    this.#running = controlPlane;
    if (this.#stopping) await this.#stop(0);
  }

  failed(error: unknown): void {
    clearTimeout(this.#starting);
    if (isForOperators(error)) this.host.say(`pawl: ${error.message}`);
    else {
      this.logger.fatal({ err: error }, 'the control plane cannot start');
      this.host.say(
        `pawl: cannot start: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.host.exit(1);
  }

  #signalled(): void {
    if (this.#stopping) {
      this.host.exit(SIGNALLED);
      return;
    }
    this.#stopping = true;
    this.logger.info('stopping');
    if (this.#running !== undefined) void this.#stop(0);
    else this.#starting = setTimeout(() => this.host.exit(0), START_GRACE_MS);
  }

  /** What nobody caught leaves memory in a state that nobody knows: the truth is in PostgreSQL. */
  #broke(error: unknown): void {
    this.logger.fatal({ err: error }, 'broken beyond repair, stopping');
    const stopping = this.#stopping;
    this.#stopping = true;
    if (this.#running === undefined || stopping) this.host.exit(1);
    else void this.#stop(1);
  }

  async #stop(code: number): Promise<void> {
    const deadline = setTimeout(() => {
      this.logger.error('an orderly stop took too long');
      this.host.exit(1);
    }, STOP_DEADLINE_MS);
    await this.#running?.stop();
    clearTimeout(deadline);
    this.logger.info('stopped');
    this.host.exit(code);
  }
}

/** Errors whose message is a sentence for whoever runs the server, by class name: some are raft's. */
const FOR_OPERATORS = new Set([
  'StartError',
  'InstallationMismatchError',
  'ForeignInstallationError',
  'NodeIdInUseError',
  'FolderInUseError',
  'CorruptionError',
  'WrongFolderError',
  'MemberStartError',
  'NotAMemberError',
  'NoClusterError',
]);

function isForOperators(error: unknown): error is Error {
  return error instanceof Error && FOR_OPERATORS.has(error.name);
}
