import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { endWithUs } from '../../support/leash.js';
import type { Node } from '../cluster/cluster.js';
import { elections, type Fault, type FaultContext } from './fault.js';
import { limitFiles } from './full-disk.js';
import { anybody, follower, leader } from './process-faults.js';
import { SyscallInjection } from './syscall-injection.js';

const HANG_MS = 60_000;
/** Time for a member whose disk fails to end by itself; there is traffic. */
const ENDS_WITHIN_MS = 30_000;
/** Less than any log has. */
const NO_ROOM_BYTES = 64;

type Whom = typeof leader;

/** Syncs of the files that are open now do not come back for 1 to 5 election timeouts. */
function hang(name: string, whom: Whom): Fault {
  return {
    name,
    strike: async (context) => {
      const { pid, dataFolder } = (await whom(context)).process;
      const injection = { kind: 'delay', ms: HANG_MS } as const;
      const hung = await SyscallInjection.into({
        pid,
        calls: 'sync',
        injection,
        below: dataFolder,
      });
      context.tally.stalls += 1;
      await context.wait(elections(context, 1, 5));
      await hung.lift();
    },
  };
}

/** It has to end by itself; then it is started again. */
async function endsAndReturns(context: FaultContext, { process, plan }: Node): Promise<void> {
  const late = performance.now() + ENDS_WITHIN_MS;
  while (process.isRunning() && performance.now() < late) await context.wait(20);
  if (process.isRunning()) throw new Error(`${plan.name} goes on with a disk that fails`);
  context.tally.diskErrors += 1;
  await process.start();
}

/** The first sync from now on fails, as one of a broken disk. */
function failSync(name: string, whom: Whom): Fault {
  return {
    name,
    strike: async (context) => {
      const node = await whom(context);
      const { pid, dataFolder } = node.process;
      const injection = { kind: 'error', error: 'EIO', once: true } as const;
      const failing = await SyscallInjection.into({
        ...{ pid, injection },
        calls: 'sync',
        below: dataFolder,
      });
      try {
        await endsAndReturns(context, node);
      } finally {
        await failing.lift();
      }
    },
  };
}

function noRoom(name: string, whom: Whom): Fault {
  return {
    name,
    strike: async (context) => {
      const node = await whom(context);
      await limitFiles(node.process.pid, NO_ROOM_BYTES);
      await endsAndReturns(context, node);
    },
  };
}

/** Harm to disks; it needs the right to trace other processes. */
export const DISK_FAULTS: readonly Fault[] = [
  hang('disk of the leader hangs', leader),
  hang('disk of a follower hangs', follower),
  failSync('sync of the leader fails', leader),
  failSync('sync of a follower fails', follower),
  noRoom('no room for the leader', leader),
  noRoom('no room for anybody', anybody),
];

/** Whether {@link DISK_FAULTS} can be struck on this machine. */
export async function canHarmDisks(): Promise<boolean> {
  const victim = spawn('sleep', ['60'], { stdio: 'ignore' });
  const gone = once(victim, 'exit');
  try {
    const pid = victim.pid ?? -1;
    endWithUs(pid);
    const injection = { kind: 'delay', ms: 0 } as const;
    await (await SyscallInjection.into({ pid, calls: 'sync', injection })).lift();
    await limitFiles(pid, NO_ROOM_BYTES);
    return true;
  } catch {
    return false;
  } finally {
    victim.kill('SIGKILL');
    await gone;
  }
}
