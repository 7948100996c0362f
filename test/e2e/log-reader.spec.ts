import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';

const PLATFORM = pathToFileURL(join(REPOSITORY, 'libs', 'platform', 'dist', 'index.js')).href;

/** Logs far more than a pipe holds. */
const SCRIPT = `
  import { createLogger, flushLog } from ${JSON.stringify(PLATFORM)};
  const logger = createLogger({ level: 'info' });
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
    for (let n = 0; n < 100; n += 1) logger.info('x'.repeat(1000));
    if (turns < 20) return;
    clearInterval(timer);
    void flushLog(100).then(() => process.stderr.write('done\\n', () => process.exit(7)));
  }, 1);
`;

/** etcd#22214: whoever reads the log stands still, and with it all reads, while health says ok. */
it('works on, and ends, while nobody reads what it logs (#15)', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', SCRIPT], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'exit')) as [number];
  child.stdout.destroy();
  expect({ code, said }).toEqual({ code: 7, said: 'done\n' });
});
