import type { RolloutView, StagedView } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { bar, plain } from '../output.js';
import { ageText } from './age-text.js';
import { followRollout } from './follow-rollout.js';
import { freezeLines } from './freeze-text.js';
import { pinnedBelowLines, pinText } from './pin-text.js';
import { queuedText } from './queued-text.js';
import { releaseLine, releaseProgress } from './release-progress.js';
import { StagedReleases } from './staged-releases.js';
import { WatchScreen } from './watch-screen.js';

/** Follows the rollout of an address until Ctrl-C. */
export async function watchStatus(context: CliContext, address: string): Promise<void> {
  const { terminal } = context;
  const screen = new WatchScreen(terminal);
  const err = (text: string): void => {
    screen.leave();
    terminal.err(text);
  };
  const releases = new StagedReleases(context);
  const told = { ...context, terminal: { ...terminal, err } };
  for await (const view of followRollout(told, address, context.signal)) {
    if (context.format() === 'json') {
      terminal.out(`${JSON.stringify(view)}\n`);
      continue;
    }
    const strategies = await releases.of(view);
    const head = headLine(view, terminal.columns);
    const each = (
      text: (release: NonNullable<RolloutView['releases']>[number], of?: StagedView) => string[],
    ): string[] => [
      head,
      ...freezeLines(view),
      ...(view.releases ?? [])
        .flatMap((release) => text(release, strategies.get(release.id)))
        .map(plain),
      ...(view.queued === undefined ? [] : [queuedText(view.queued)]),
      ...(view.pins ?? []).map((pin) => pinText(pin.pinnedAt, pin)),
      ...pinnedBelowLines(view.pinnedBelow),
    ];
    screen.show(
      each((release, of) => releaseProgress(release, of)),
      each((release, of) => [`  ${releaseLine(release, of)}`]),
    );
  }
  screen.leave();
}

function headLine(view: RolloutView, columns: number): string {
  const { applied, live, rejected } = view.consumers;
  const version = view.published === null ? 'nothing published' : `v${view.published.version}`;
  const state = view.converged ? 'converged' : rejected > 0 ? `${rejected} rejected` : '';
  const rest = [state, ageText(view)].filter((part) => part !== '').join(', ');
  return `${view.address} ${version} ${bar(applied, live, columns)} ${rest}`;
}
