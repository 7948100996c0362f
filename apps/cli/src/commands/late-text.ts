import type { RolloutView } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { ageText } from './age-text.js';
import { underWayTexts } from './await-releases.js';
import { EXCEPTION, freezeLines, freezeStep } from './freeze-text.js';
import { queuedText } from './queued-text.js';

/** A wait that was not over in time. */
export interface Late {
  /** The last that was heard. */
  readonly view: RolloutView | undefined;
  /** The snapshot that was waited for. */
  readonly wanted: number;
  /** The version that has to reach everybody, where one was named. */
  readonly to?: number;
  /** Live consumers that have to be there. */
  readonly min: number;
}

/**
 * What a wait was still waiting for, in a line: first what is queued or under way, then what freezes
 * that, then the consumers; and for people what can be done about a freeze, a command each.
 */
export function lateText(
  context: CliContext,
  late: Late,
): { readonly text: string; readonly steps: readonly string[] } {
  const { view } = late;
  if (view === undefined) {
    return { text: `nothing was heard of snapshot ${late.wanted}`, steps: [] };
  }
  const queued = queuedHere(late);
  const before = [
    ...(queued === undefined ? [] : [queuedText(queued)]),
    ...underWayTexts(view),
    ...new Set([view, ...(view.releases ?? [])].flatMap(freezeLines)),
  ];
  const text = [...before, consumersText(view, late)].join('; ');
  return { text, steps: context.format() === 'table' ? stepsOf(context, late) : [] };
}

function queuedHere({ view, to }: Late): RolloutView['queued'] {
  return view?.queued?.targetVersion === to ? view?.queued : undefined;
}

function stepsOf(context: CliContext, late: Late): string[] {
  const { view } = late;
  const held = (view?.releases ?? []).filter(({ frozen }) => frozen !== undefined);
  return [
    ...new Set([view, ...held].flatMap((one) => freezeStep(context, one?.frozen))),
    ...held.map(
      ({ address }) => `go on at once: ${context.command(`advance ${address} ${EXCEPTION}`)}`,
    ),
    ...promoteStep(context, late),
  ];
}

/** Of what is queued and kept by nothing but a freeze, whose place it takes. A strategy that was written out cannot be named. */
function promoteStep(context: CliContext, late: Late): string[] {
  const queued = queuedHere(late);
  if (queued?.waitsFor?.startsWith('frozen:') !== true || queued.strategy === 'inline') return [];
  const { targetVersion, strategy } = queued;
  const words = `promote ${late.view?.address ?? ''} --to ${targetVersion} --strategy ${strategy} --supersede ${EXCEPTION}`;
  return [`promote it at once: ${context.command(words)}`];
}

function consumersText(view: RolloutView, { wanted, min }: Late): string {
  const { applied, live, byVersion } = view.consumers;
  const published = view.published?.version ?? 0;
  if (published === 0) return `snapshot ${wanted} is not published yet`;
  const others = Object.entries(byVersion).filter(([version]) => Number(version) !== published);
  const running = others.map(([version, count]) => `${count} run ${version}`).join(', ');
  const arrived =
    `${applied} of ${live} live consumers applied snapshot ${published}` +
    (running === '' ? '' : ` (${running})`) +
    ageNote(view);
  if (published < wanted) return `snapshot ${wanted} is not published yet; ${arrived}`;
  if (live >= min) return arrived;
  return `${arrived}, and ${min - live} of the ${min} that have to be there (--min) ${min - live === 1 ? 'is' : 'are'} missing`;
}

/** Nothing where the owner of the address confirmed it. */
function ageNote(view: RolloutView): string {
  const age = ageText(view);
  return age === '' ? '' : ` (${age})`;
}
