import type { RolloutView, StagedView } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { plainLines, print, table } from '../output.js';
import { ageText } from './age-text.js';
import { fromOne } from './config.command.js';
import { freezeSteps } from './freeze-text.js';
import { nextSteps } from './next-steps.js';
import { pinnedBelowLines, pinText } from './pin-text.js';
import { queuedText } from './queued-text.js';
import { gateLines, releaseProgress } from './release-progress.js';
import { StagedReleases } from './staged-releases.js';
import { statusNote } from './status-note.js';
import { watchStatus } from './watch-status.js';

/** `pawl status`, `pawl scopes`. */
export function addStatus(program: Command, context: CliContext): void {
  program
    .command('status <address>')
    .description('published against applied, and how far releases in stages have come')
    .option('--watch', 'follow until Ctrl-C')
    .action(async (address: string, flags: { watch?: true }) => {
      const client = await context.client();
      const forPeople = context.format() === 'table';
      if (flags.watch === true) {
        if (forPeople) context.terminal.err(await statusNote(context, client, address));
        await watchStatus(context, address);
        return;
      }
      const view = await client.rollout(address);
      const strategies = forPeople ? await new StagedReleases(context).of(view) : undefined;
      print(context.terminal, context.format(), view, () =>
        plainLines([
          ...statusLines(view),
          ...spaced(freezeSteps(context, view)),
          ...releasesLines(context, view, strategies),
          ...queuedLines(context, view),
          ...pinLines(context, view),
        ]),
      );
      if (forPeople) context.terminal.err(await statusNote(context, client, address));
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

function statusLines(view: RolloutView): string[] {
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
  return lines;
}

/** Each release in stages under way, with what can be done about it. */
function releasesLines(
  context: CliContext,
  { releases = [] }: RolloutView,
  strategies: ReadonlyMap<string, StagedView | undefined> | undefined,
): string[] {
  return releases.flatMap((release) => {
    const staged = strategies?.get(release.id);
    return [
      '',
      ...releaseProgress(release, staged),
      ...gateLines(staged),
      ...nextSteps(context, release),
    ];
  });
}

/** What begins later here, with what can be done about it. */
function queuedLines(context: CliContext, { address, queued }: RolloutView): string[] {
  if (queued === undefined) return [];
  return ['', queuedText(queued), `drop it: ${context.command(`cancel ${address}`)}`];
}

/** What is kept here of layers above, and below of this one. */
function pinLines(context: CliContext, { pins = [], pinnedBelow }: RolloutView): readonly string[] {
  const own = pins.flatMap((pin) => [
    pinText(pin.pinnedAt, pin),
    `end it: ${context.command(`unpin ${pin.pinnedAt} --layer ${pin.ancestor}`)}`,
  ]);
  return spaced([...own, ...pinnedBelowLines(pinnedBelow)]);
}

/** After an empty line, where there are any. */
function spaced(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', ...lines];
}
