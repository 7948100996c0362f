import { decodeCommand } from '../state/index.js';
import type { Command, Operation, Txn } from '../state/index.js';

/** What a command in the log is, for people. */
export interface CommandDescription {
  /** `unknown`: the bytes are no command of the format that this version reads. */
  readonly command: Command['kind'] | 'unknown';
  /** One short line; keys in quotes, no values. */
  readonly detail: string;
}

const SHOWN_OPERATIONS = 4;
const SHOWN_KEY_BYTES = 64;

export function describeCommand(bytes: Uint8Array): CommandDescription {
  let command: Command;
  try {
    command = decodeCommand(bytes);
  } catch (error) {
    return { command: 'unknown', detail: (error as Error).message };
  }
  const { session } = command;
  const inSession = session === undefined ? '' : `session ${session.id}#${session.sequence}`;
  const parts = [detailOf(command), inSession].filter((part) => part !== '');
  return { command: command.kind, detail: parts.join(', ') };
}

function detailOf(command: Command): string {
  switch (command.kind) {
    case 'txn':
      return `${command.origin === 'user' ? 'user: ' : ''}${txnText(command)}`;
    case 'lease-grant':
      return `lease ${command.id}, ${command.ttlMs} ms`;
    case 'lease-revoke':
      return `lease ${command.id}`;
    case 'lease-expire':
      return `leases ${command.ids.join(' ')}, of term ${command.term}`;
    case 'lease-checkpoint':
      return `${command.leases.length} leases, of term ${command.term}`;
    case 'compact':
      return `revision ${command.revision}`;
    case 'session-close':
      return `session ${command.id}`;
    case 'alarm':
      return `${command.action} ${command.alarm}`;
    case 'member-put':
      return memberText(command);
    case 'member-remove':
      return command.id;
    case 'upgrade':
      return `format ${command.format}`;
    default:
      return '';
  }
}

function memberText(put: Command & { readonly kind: 'member-put' }): string {
  const { expect, id, name, peerAddress, clientAddresses, wanted } = put;
  const given: readonly (readonly [string, string | undefined])[] = [
    ['called', name],
    ['at', peerAddress],
    ['clients at', clientAddresses?.join(' ')],
    ['as', wanted],
  ];
  const told = given.filter(([, value]) => value !== undefined && value !== '');
  return [`${expect} ${id}`, ...told.map(([what, value]) => `${what} ${value}`)].join(', ');
}

function txnText({ compare, success, failure }: Txn): string {
  const condition = compare.length === 0 ? '' : `if ${compare.length} hold: `;
  const otherwise = failure.length === 0 ? '' : `; else ${operationsText(failure)}`;
  return `${condition}${operationsText(success)}${otherwise}`;
}

function operationsText(operations: readonly Operation[]): string {
  const shown = operations.slice(0, SHOWN_OPERATIONS).map(operationText);
  const rest = operations.length - shown.length;
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(', ') || 'nothing';
}

function operationText(operation: Operation): string {
  if (operation.kind === 'txn') return `(${txnText(operation)})`;
  const { kind, key } = operation;
  const isRange = operation.kind !== 'put' && operation.rangeEnd !== undefined;
  return `${kind} ${keyText(key)}${isRange ? '…' : ''}`;
}

/** In quotes; what is not printable ASCII as `\xNN`. */
function keyText(key: Uint8Array): string {
  const shown = Array.from(key.subarray(0, SHOWN_KEY_BYTES), (byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`,
  );
  return `"${shown.join('')}${key.length > SHOWN_KEY_BYTES ? '…' : ''}"`;
}
