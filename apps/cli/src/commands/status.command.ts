import type { RolloutView } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { bar, print, table } from '../output.js';
import { ageText } from './age-text.js';
import { fromOne } from './config.command.js';
import { followRollout } from './follow-rollout.js';
import { statusNote } from './status-note.js';

/** `pawl status`, `pawl consumers`, `pawl scopes`. */
export function addStatus(program: Command, context: CliContext): void {
  program
    .command('status <address>')
    .description('published against applied')
    .option('--watch', 'follow until Ctrl-C')
    .action(async (address: string, flags: { watch?: true }) => {
      const client = await context.client();
      if (flags.watch === true) {
        if (context.format() === 'table') {
          context.terminal.err(await statusNote(context, client, address));
        }
        for await (const view of followRollout(context, address, context.signal)) {
          showLine(context, view);
        }
        if (context.terminal.isTty) context.terminal.out('\n');
        return;
      }
      const view = await client.rollout(address);
      print(context.terminal, context.format(), view, () => statusText(view));
      if (context.format() === 'table') {
        context.terminal.err(await statusNote(context, client, address));
      }
    });
  program
    .command('consumers <address>')
    .description('who runs what')
    .option('--state <state>', 'applied, lagging, rejected or stale')
    .option('--limit <n>', 'how many', fromOne('a limit'), 100)
    .action(async (address: string, flags: { state?: never; limit: number }) => {
      const page = await (await context.client()).consumers(address, flags);
      const text = (): string =>
        table(
          ['workload', 'consumer', 'slot', 'version', 'state', 'last seen', 'reason'],
          page.items.map((item) => [
            item.workload,
            item.duplicate === true ? `${item.consumerId} (duplicate)` : item.consumerId,
            item.slot,
            item.version,
            item.state,
            item.lastSeenAt,
            item.reason ?? '',
          ]),
        ) + ageText(page, '\n');
      print(context.terminal, context.format(), page, text);
    });
  addInventory(program, context);
}

function addInventory(program: Command, context: CliContext): void {
  program
    .command('scopes')
    .description('every known address')
    .option('--prefix <scope>', 'only this scope and below')
    .option('--limit <n>', 'how many', fromOne('a limit'), 100)
    .action(async (flags: { prefix?: string; limit: number }) => {
      const page = await (await context.client()).scopes(flags);
      print(context.terminal, context.format(), page, () =>
        table(
          ['address', 'newest', 'stable', 'state', 'snapshot'],
          page.items.map((item) => [
            item.address,
            item.newestVersion,
            item.stableVersion,
            item.state,
            item.snapshotVersion,
          ]),
        ),
      );
    });
}

function showLine(context: CliContext, view: RolloutView): void {
  const { terminal } = context;
  if (context.format() === 'json') {
    terminal.out(`${JSON.stringify(view)}\n`);
    return;
  }
  const { applied, live, rejected } = view.consumers;
  const version = view.published === null ? 'nothing published' : `v${view.published.version}`;
  const state = view.converged ? 'converged' : rejected > 0 ? `${rejected} rejected` : '';
  const line = `${view.address} ${version} ${bar(applied, live, terminal.columns)} ${[state, ageText(view)].filter((part) => part !== '').join(', ')}`;
  terminal.out(terminal.isTty ? `\r\u001b[2K${line}` : `${line}\n`);
}

function statusText(view: RolloutView): string {
  const { published, consumers, propagationMs, rejections } = view;
  const lines = [
    published === null
      ? `${view.address}: nothing published yet`
      : `${view.address} snapshot ${published.version} published ${published.at}`,
    `consumers: ${consumers.live} live, ${consumers.applied} applied, ${consumers.lagging} lagging, ${consumers.rejected} rejected`,
  ];
  const versions = Object.entries(consumers.byVersion);
  if (versions.length > 0) {
    lines.push(`running: ${versions.map(([version, n]) => `v${version} × ${n}`).join(', ')}`);
  }
  if (propagationMs.p50 !== null) {
    lines.push(
      `publish to apply: p50 ${propagationMs.p50} ms, p99 ${propagationMs.p99} ms, max ${propagationMs.max} ms`,
    );
  }
  for (const { reason, count } of rejections) lines.push(`rejected × ${count}: ${reason}`);
  lines.push(view.converged ? 'converged' : 'not converged');
  if (view.asOf !== undefined) lines.push(ageText(view));
  return `${lines.join('\n').replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f]/g, ' ')}\n`;
}
