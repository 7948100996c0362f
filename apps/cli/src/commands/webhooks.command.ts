import { WEBHOOK_WAITING_MAX } from '@pawl/contracts';
import type { WebhookView } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { print, table } from '../output.js';
import { durationText } from './duration.js';

/** `pawl webhooks`: how those do that release transitions are posted to; trying one now. */
export function addWebhooks(program: Command, context: CliContext): void {
  const webhooks = program
    .command('webhooks')
    .description('how the webhooks do that release transitions are posted to')
    .allowExcessArguments(false)
    .action(async () => {
      const page = await (await context.client()).webhooks();
      print(context.terminal, context.format(), page, () => listText(context, page.items));
    });
  webhooks
    .command('retry <webhook>')
    .description('try one now, with all that was set aside there, also one that is gone')
    .action(async (webhook: string) => {
      const view = await (await context.client()).retryWebhook(webhook);
      print(
        context.terminal,
        context.format(),
        view,
        () =>
          `${view.name} is tried now: ${waitingText(view)} to be sent; see ${context.command('webhooks')}\n`,
      );
    });
}

function listText(context: CliContext, webhooks: readonly WebhookView[]): string {
  if (webhooks.length === 0) return 'no webhooks: PAWL_WEBHOOK_URLS of that node names none\n';
  const rows = webhooks.map((one) => [
    one.name,
    stateText(one),
    waitingText(one),
    one.oldestWaitingMs === undefined ? '' : `${durationText(one.oldestWaitingMs)} ago`,
    one.lastError ?? '',
  ]);
  const heads = ['webhook', 'state', 'waiting', 'oldest', 'last error'];
  const isStuck = webhooks.some((one) => one.state !== 'delivering' || one.setAside > 0);
  const step = isStuck ? `try one now: ${context.command('webhooks retry WEBHOOK')}\n` : '';
  return `${table(heads, rows)}${step}`;
}

function stateText(webhook: WebhookView): string {
  const { state, failures, failingForMs = 0, retryInMs = 0, goneForMs = 0 } = webhook;
  const { setAside, setAsideRetryInMs = 0 } = webhook;
  if (state === 'not-begun') return 'not begun with: PostgreSQL was away';
  if (state === 'gone') return `gone (410) for ${durationText(goneForMs)}`;
  const aside = setAside === 1 ? '1 address' : `${setAside} addresses`;
  const parts =
    state === 'failing'
      ? [
          `failing for ${durationText(failingForMs)}, ${failures} in a row`,
          `again ${dueText(retryInMs)}`,
        ]
      : ['delivering'];
  if (setAside > 0) parts.push(`${aside} set aside, again ${dueText(setAsideRetryInMs)}`);
  return parts.join(', ');
}

function dueText(ms: number): string {
  return ms === 0 ? 'now' : `in ${durationText(ms)}`;
}

function waitingText({ waiting }: WebhookView): string {
  return waiting < WEBHOOK_WAITING_MAX ? String(waiting) : `${waiting} or more`;
}
