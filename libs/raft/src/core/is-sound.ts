import { decodeConfiguration, isSoundConfiguration } from './configuration.js';
import { MAX_INDEX, MAX_TERM } from './ids.js';
import type { AppendRequest, Entry, Message, SnapshotMark } from './types.js';

/**
 * Whether a node in its right mind could have said this: numbers in range, terms that do not fall,
 * entries that follow each other, configurations that can be decoded and have voters. What is false
 * for every state of the receiver; what only its state tells is not looked at.
 */
export function isSound(message: Message): boolean {
  if (message.from === '' || message.term < 1 || !isTerm(message.term)) return false;
  switch (message.type) {
    case 'pre-vote':
    case 'vote':
      return isPosition(message.lastIndex, message.lastTerm) && message.lastTerm < message.term;
    case 'append':
      return isSoundAppend(message);
    case 'append-response': {
      const { index, refused, term } = message;
      if (refused === undefined) return isIndex(index);
      if (!isIndex(index) || refused.index > index || refused.term > term) return false;
      return isPosition(refused.index, refused.term);
    }
    case 'heartbeat':
      return isIndex(message.commit) && Number.isSafeInteger(message.round);
    case 'heartbeat-response':
      return Number.isSafeInteger(message.round);
    case 'snapshot':
      return isSoundMark(message.snapshot) && message.snapshot.term <= message.term;
    case 'read':
      return Number.isSafeInteger(message.id);
    case 'read-response':
      return Number.isSafeInteger(message.id) && isIndex(message.index);
    case 'pre-vote-response':
    case 'vote-response':
    case 'timeout-now':
      return true;
  }
}

function isSoundAppend(message: AppendRequest): boolean {
  const { previousIndex, previousTerm, entries, commit, term } = message;
  if (!isPosition(previousIndex, previousTerm) || !isIndex(commit)) return false;
  let [index, floor] = [previousIndex, previousTerm];
  for (const entry of entries) {
    if (entry.index !== index + 1 || !isIndex(entry.index)) return false;
    if (entry.term < floor || entry.term < 1 || !isTerm(entry.term)) return false;
    if (!isSoundEntry(entry)) return false;
    [index, floor] = [entry.index, entry.term];
  }
  return floor <= term;
}

function isSoundEntry({ kind, data }: Entry): boolean {
  if (kind !== 'configuration') return true;
  try {
    const configuration = decodeConfiguration(data);
    return configuration.voters.length > 0 && isSoundConfiguration(configuration);
  } catch {
    return false;
  }
}

function isSoundMark({ index, term, configuration }: SnapshotMark): boolean {
  if (index < 1 || !isPosition(index, term)) return false;
  return configuration.voters.length > 0 && isSoundConfiguration(configuration);
}

/** Index 0 and term 0 stand for the empty log, together. */
function isPosition(index: number, term: number): boolean {
  return isIndex(index) && isTerm(term) && (index === 0) === (term === 0);
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= MAX_INDEX;
}

function isTerm(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= MAX_TERM;
}
