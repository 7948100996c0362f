import type {
  EndedRelease,
  EndedReleaseSummary,
  PolicyVersion,
  ReleaseOutcome,
} from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { plain, print, table } from '../output.js';
import { candidateText } from './staged-text.js';
import { whyText } from './why-text.js';

const OUTCOMES: Readonly<Record<ReleaseOutcome, string>> = {
  completed: 'reached everybody',
  aborted: 'was aborted',
  expired: 'was aborted, paused for too long',
  'rolled-back': 'was rolled back',
  superseded: 'was superseded by another version',
  'pre-empted': 'was pre-empted by a promote above it',
  disabled: 'ended as the layer was disabled',
  blocked: 'ended as its version was blocked',
};

/** The releases in stages that have ended, the last first. */
export async function listEnded(
  context: CliContext,
  options: { readonly since?: string; readonly limit: number },
): Promise<void> {
  const page = await (await context.client()).endedReleases(options);
  const { items, next } = page;
  print(context.terminal, context.format(), page, () => {
    const { since } = options;
    if (items.length === 0)
      return `nothing has ended${since === undefined ? '' : ` since ${since}`}\n`;
    const heads = ['release', 'address', 'outcome', 'what', 'stage', 'ended', 'by', 'why'];
    const rows = items.map((item) => {
      const { id, address, outcome, candidate, endedAt, endedBy, reason = '' } = item;
      const what = candidateText(candidate, item);
      return [id, address, outcome, what, stageText(item), endedAt, endedBy, reason];
    });
    return `${table(heads, rows)}what was done of one: ${context.command('releases RELEASE')}\n`;
  });
  if (next !== undefined && context.format() === 'table') {
    context.terminal.err('there are more: a higher --limit shows them\n');
  }
}

/** What became of one of them, and what was done of it, in order. */
export function endedText(view: EndedReleaseSummary): string {
  const { address, outcome, candidate, stableVersion, endedAt, endedBy, reason, transitions } =
    view;
  const before = stableVersion === null ? 'nothing' : `version ${stableVersion}`;
  const place = view.stage === undefined ? 'in its preflight' : `at stage ${stageText(view)}`;
  const head = [
    `${address}: ${candidateText(candidate, view)} after ${before} ${OUTCOMES[outcome]}, ${place}`,
    ...begunLines(view),
    `ended: ${endedAt} by ${endedBy}`,
    ...(reason === undefined ? [] : [`why: ${reason}`]),
  ].map(plain);
  const done = table(
    ['when', 'who', 'what', 'version', 'release version', 'why'],
    transitions.map((line) => [
      ...[line.at, line.author, line.action, line.version, line.releaseVersion],
      whyText(line),
    ]),
  );
  const more = view.more === true ? 'there was more before that: config history has it\n' : '';
  return `${head.join('\n')}\n\n${done}${more}`;
}

/** When a release began, in whose name, and by which policy's strategy; nothing where that is not known. */
export function begunLines({
  begunAt,
  begunBy,
  policyVersion,
}: Pick<EndedRelease, 'begunAt' | 'begunBy' | 'policyVersion'>): string[] {
  if (begunAt === undefined) return [];
  const by = begunBy === undefined ? '' : ` by ${begunBy}`;
  return [`begun: ${begunAt}${by}${policyText(policyVersion)}`];
}

function policyText(policy: PolicyVersion | undefined): string {
  if (policy === undefined) return '';
  return `, with the strategy of ${policy.address} version ${policy.version}`;
}

function stageText({ stage, stages }: Pick<EndedRelease, 'stage' | 'stages'>): string {
  return stage === undefined ? 'preflight' : `${stage + 1} of ${stages}`;
}
