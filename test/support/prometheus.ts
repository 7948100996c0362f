import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../infra/dev/lib/ports.mjs';
import { findPrometheus } from '../../infra/dev/lib/prometheus-binary.mjs';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { startService } from '../../infra/dev/lib/service.mjs';
import { createTerminal } from '../../infra/dev/lib/terminal.mjs';
import { endWithUs } from './leash.js';
import { makeTemporaryFolder } from './temporary-folder.js';

export interface TestPrometheus {
  /** The same across restarts. */
  readonly url: string;
  /** Ends it in order; what it has scraped stays. */
  shutDown(): Promise<void>;
  /** Starts it again on the same port, with what it has scraped. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const READY_DEADLINE_MS = 60_000;
const ANSWER_DEADLINE_MS = 1_000;

/**
 * A real Prometheus, as the distribution has it, on a free port, which scrapes `target` (`host:port`)
 * each second. It is fetched where it is not installed.
 */
export async function startPrometheus(target: string): Promise<TestPrometheus> {
  const toolsFolder = join(REPOSITORY, '.pawl-test', 'tools');
  const program = await findPrometheus({ toolsFolder, terminal: createTerminal() });
  const folder = await makeTemporaryFolder('prometheus');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const configuration = join(folder.path, 'prometheus.yml');
  const data = join(folder.path, 'data');
  await mkdir(data);
  await writeFile(configuration, configure(target));
  const run = () =>
    startService({
      name: 'prometheus',
      title: 'Prometheus',
      command: program,
      args: [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${data}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
      cwd: folder.path,
      logFile: join(folder.path, 'prometheus.log'),
      stopPlan: [{ signal: 'SIGTERM', graceMs: 8_000 }],
      ready: () => isReady(url),
      readyDeadlineMs: READY_DEADLINE_MS,
      onSpawn: ({ pid }) => endWithUs(pid),
    });
  let service = await run();
  return {
    url,
    shutDown: () => service.stop(),
    start: async () => {
      service = await run();
    },
    stop: async () => {
      await service.stop();
      await folder.remove();
    },
  };
}

/** JSON is YAML, too. */
function configure(target: string): string {
  return JSON.stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [{ job_name: 'fleet', static_configs: [{ targets: [target] }] }],
  });
}

async function isReady(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_DEADLINE_MS);
    return (await fetch(`${url}/-/ready`, { signal })).ok;
  } catch {
    return false;
  }
}
