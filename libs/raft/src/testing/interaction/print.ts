import type { Configuration, CoreStatus, Entry, Message, Ready } from '../../core/index.js';
import { decodeConfiguration } from '../../core/index.js';

/** One line: who votes, `(outgoing)` while joint, learners behind `+`, later learners behind `~`. */
export function printConfiguration(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext } = configuration;
  const part = (sign: string, nodes: readonly string[]): string =>
    nodes.length === 0 ? '' : ` ${sign}${nodes.join(',')}`;
  const old = outgoing.length === 0 ? '' : ` & ${outgoing.join(',')}`;
  return `${voters.join(',')}${old}${part('+', learners)}${part('~', learnersNext)}`;
}

/** `index/term` and what is in it. */
export function printEntry({ index, term, kind, data }: Entry): string {
  if (kind === 'noop') return `${index}/${term}`;
  const text =
    kind === 'command'
      ? new TextDecoder().decode(data)
      : `{${printConfiguration(decodeConfiguration(data))}}`;
  return `${index}/${term}:${text}`;
}

export function printEntries(entries: readonly Entry[]): string {
  return `[${entries.map(printEntry).join(' ')}]`;
}

/** `from>to type`, the term, and what else it says. */
export function printMessage(message: Message): string {
  return `${message.from}>${message.to} ${message.type} t${message.term}${detailOf(message)}`;
}

function detailOf(message: Message): string {
  switch (message.type) {
    case 'pre-vote':
    case 'vote':
      return ` log ${message.lastIndex}/${message.lastTerm}${message.transfer ? ' transfer' : ''}`;
    case 'pre-vote-response':
    case 'vote-response':
      return message.granted ? ' yes' : ' no';
    case 'append': {
      const { previousIndex, previousTerm, entries, commit } = message;
      return ` after ${previousIndex}/${previousTerm} ${printEntries(entries)} commit ${commit}`;
    }
    case 'append-response': {
      const { index, refused } = message;
      return refused ? ` refuses ${index}, try ${refused.index}/${refused.term}` : ` has ${index}`;
    }
    case 'heartbeat':
      return ` commit ${message.commit} round ${message.round}`;
    case 'heartbeat-response':
      return ` round ${message.round}`;
    case 'snapshot': {
      const { index, term, configuration } = message.snapshot;
      return ` ${index}/${term} {${printConfiguration(configuration)}}`;
    }
    case 'timeout-now':
      return '';
    case 'read':
      return ` #${message.id}`;
    case 'read-response':
      return ` #${message.id} at ${message.index}`;
  }
}

/** What a node is to write, apply and answer; its messages are printed when they are sent. */
export function printReady(ready: Ready): string {
  const { snapshot, hardState, entries } = ready;
  const parts: string[] = [];
  if (snapshot !== null) parts.push(`install snapshot ${snapshot.index}/${snapshot.term}`);
  if (hardState !== null) {
    const { term, vote, commit } = hardState;
    parts.push(`term ${term} vote ${vote ?? '-'} commit ${commit}`);
  }
  if (entries.length > 0) parts.push(`write ${printEntries(entries)}`);
  const further = printFurther(ready);
  if (further !== '') parts.push(further);
  if (ready.messages.length > 0) parts.push(`then ${ready.messages.length} to send`);
  return `${ready.mustSync ? 'sync: ' : ''}${parts.join('; ')}`;
}

/** What needs no write; empty for nothing. */
export function printFurther(work: Pick<Ready, 'committedEntries' | 'reads'>): string {
  const { committedEntries, reads } = work;
  const parts = reads.map(({ id, index }) => `read #${id} at ${index}`);
  if (committedEntries.length > 0) parts.unshift(`apply ${printEntries(committedEntries)}`);
  return parts.join('; ');
}

export function printStatus({ role, leader, term, commit, applied, last }: CoreStatus): string {
  const of = role === 'leader' ? '' : ` of ${leader ?? 'nobody'}`;
  return `${role}${of} t${term} commit ${commit} applied ${applied} last ${last}`;
}
