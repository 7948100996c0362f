import { assert, unreachable } from '@pawl/kernel';
import { decodeConfiguration, encodeConfiguration } from '../../core/index.js';
import type {
  AppendRequest,
  Configuration,
  Entry,
  EntryKind,
  Message,
  NodeId,
  SnapshotMessage,
} from '../../core/index.js';
import { ByteReader } from '../bytes.js';
import type { ByteWriter } from '../bytes.js';
import { ProtocolError } from './protocol-error.js';

/** Longest node id, in bytes of UTF-8. */
export const MAX_ID_BYTES = 255;

/** A message that is whole by itself; a snapshot's state travels beside it. */
export type PlainMessage = Exclude<Message, SnapshotMessage>;

const TYPE = {
  'pre-vote': 1,
  vote: 2,
  'pre-vote-response': 3,
  'vote-response': 4,
  append: 5,
  'append-response': 6,
  heartbeat: 7,
  'heartbeat-response': 8,
  snapshot: 9,
  'timeout-now': 10,
  read: 11,
  'read-response': 12,
} as const satisfies Record<Message['type'], number>;

const TYPES = new Map<number, Message['type']>(
  Object.entries(TYPE).map(([type, number]) => [number, type as Message['type']]),
);

const ENTRY_KIND = { command: 1, noop: 2, configuration: 3 } as const satisfies Record<
  EntryKind,
  number
>;
const ENTRY_KINDS = new Map<number, EntryKind>(
  Object.entries(ENTRY_KIND).map(([kind, number]) => [number, kind as EntryKind]),
);

/** Kind, term and length. */
const ENTRY_HEADER_BYTES = 13;

const CONFIGURATION_KEYS = ['voters', 'outgoing', 'learners', 'learnersNext'] as const;

/** Bytes that {@link writeMessage} takes; exact. */
export function messageBytes(message: Message): number {
  return 1 + 4 + byteLength(message.from) + 4 + byteLength(message.to) + 8 + bodyBytes(message);
}

function bodyBytes(message: Message): number {
  switch (message.type) {
    case 'pre-vote':
    case 'vote':
      return 17;
    case 'pre-vote-response':
    case 'vote-response':
      return 1;
    case 'append':
      return message.entries.reduce((sum, { data }) => sum + ENTRY_HEADER_BYTES + data.length, 28);
    case 'append-response':
      return message.refused === undefined ? 9 : 25;
    case 'heartbeat':
    case 'read-response':
      return 16;
    case 'heartbeat-response':
    case 'read':
      return 8;
    case 'timeout-now':
      return 0;
    case 'snapshot':
      return 20 + encodeConfiguration(message.snapshot.configuration).length;
    default:
      return unreachable(message);
  }
}

/**
 * Appends type (8 bits), sender and receiver (sized UTF-8), term (64 bits), then what the type has,
 * in the order of its declaration. Entries carry no index: theirs follow `previousIndex`.
 */
export function writeMessage(writer: ByteWriter, message: Message): void {
  writer.u8(TYPE[message.type]).text(message.from).text(message.to).u64(message.term);
  switch (message.type) {
    case 'pre-vote':
    case 'vote':
      writer.u64(message.lastIndex).u64(message.lastTerm).u8(Number(message.transfer));
      return;
    case 'pre-vote-response':
    case 'vote-response':
      writer.u8(Number(message.granted));
      return;
    case 'append':
      writeAppend(writer, message);
      return;
    case 'append-response':
      writer.u64(message.index).u8(Number(message.refused !== undefined));
      if (message.refused) writer.u64(message.refused.index).u64(message.refused.term);
      return;
    case 'heartbeat':
      writer.u64(message.commit).u64(message.round);
      return;
    case 'heartbeat-response':
      writer.u64(message.round);
      return;
    case 'read':
      writer.u64(message.id);
      return;
    case 'read-response':
      writer.u64(message.id).u64(message.index);
      return;
    case 'timeout-now':
      return;
    case 'snapshot': {
      const { index, term, configuration } = message.snapshot;
      writer.u64(index).u64(term).sized(encodeConfiguration(configuration));
      return;
    }
    default:
      unreachable(message);
  }
}

function writeAppend(writer: ByteWriter, message: AppendRequest): void {
  const { previousIndex, previousTerm, commit, entries } = message;
  writer.u64(previousIndex).u64(previousTerm).u64(commit).u32(entries.length);
  for (const [at, { index, term, kind, data }] of entries.entries()) {
    assert(index === previousIndex + 1 + at, 'the entries of a message follow each other');
    writer.u8(ENTRY_KIND[kind]).u64(term).sized(data);
  }
}

/**
 * What {@link writeMessage} wrote, and nothing behind it; independent of the bytes read from. Throws
 * a {@link ProtocolError} for anything else, having allocated no more than a small multiple of it.
 */
export function readMessage(bytes: Uint8Array): Message {
  return strictly(bytes, (reader) => {
    const type = TYPES.get(reader.u8());
    if (type === undefined) throw new ProtocolError('a message of unknown type');
    const [from, to, term] = [readId(reader), readId(reader), reader.u64()];
    return readBody(reader, { type, from, to, term });
  });
}

/** Reads all of `bytes`; whatever is wrong with them becomes a {@link ProtocolError}. */
export function strictly<T>(bytes: Uint8Array, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(bytes);
  let value: T;
  try {
    value = read(reader);
  } catch (error) {
    if (error instanceof ProtocolError || !(error instanceof RangeError)) throw error;
    throw new ProtocolError('a frame that is cut off or holds an impossible number', {
      cause: error,
    });
  }
  if (reader.left !== 0) throw new ProtocolError('a frame with something behind its end');
  return value;
}

interface Head {
  readonly type: Message['type'];
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: number;
}

function readBody(reader: ByteReader, { type, ...envelope }: Head): Message {
  switch (type) {
    case 'pre-vote':
    case 'vote': {
      const [lastIndex, lastTerm, transfer] = [reader.u64(), reader.u64(), readFlag(reader)];
      return { type, lastIndex, lastTerm, transfer, ...envelope };
    }
    case 'pre-vote-response':
    case 'vote-response':
      return { type, granted: readFlag(reader), ...envelope };
    case 'append':
      return { type, ...readAppend(reader, envelope) };
    case 'append-response': {
      const index = reader.u64();
      if (!readFlag(reader)) return { type, index, ...envelope };
      const refused = { index: reader.u64(), term: reader.u64() };
      return { type, index, refused, ...envelope };
    }
    case 'heartbeat':
      return { type, commit: reader.u64(), round: reader.u64(), ...envelope };
    case 'heartbeat-response':
      return { type, round: reader.u64(), ...envelope };
    case 'read':
      return { type, id: reader.u64(), ...envelope };
    case 'read-response':
      return { type, id: reader.u64(), index: reader.u64(), ...envelope };
    case 'timeout-now':
      return { type, ...envelope };
    case 'snapshot': {
      const [index, term] = [reader.u64(), reader.u64()];
      const configuration = readConfiguration(reader.sized());
      return { type, snapshot: { index, term, configuration }, ...envelope };
    }
    default:
      return unreachable(type);
  }
}

type Envelope = Omit<Head, 'type'>;

function readAppend(reader: ByteReader, envelope: Envelope): Omit<AppendRequest, 'type'> {
  const [previousIndex, previousTerm, commit] = [reader.u64(), reader.u64(), reader.u64()];
  const count = reader.u32();
  if (!Number.isSafeInteger(previousIndex + count)) {
    throw new ProtocolError('an entry with an impossible index');
  }
  const entries: Entry[] = [];
  for (let at = 0; at < count; at += 1) {
    const kind = ENTRY_KINDS.get(reader.u8());
    if (kind === undefined) throw new ProtocolError('an entry of unknown kind');
    const [term, data] = [reader.u64(), reader.sized()];
    entries.push({ index: previousIndex + 1 + at, term, kind, data });
  }
  return { previousIndex, previousTerm, commit, entries, ...envelope };
}

function readConfiguration(bytes: Uint8Array): Configuration {
  let configuration: Configuration;
  try {
    configuration = decodeConfiguration(bytes);
  } catch (cause) {
    throw new ProtocolError('a configuration that is none', { cause });
  }
  if (Buffer.compare(encodeConfiguration(configuration), bytes) !== 0) {
    throw new ProtocolError('a configuration that is not in its canonical form');
  }
  for (const key of CONFIGURATION_KEYS) configuration[key].forEach(checkId);
  return configuration;
}

function readFlag(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw new ProtocolError('a flag that is neither set nor clear');
  return value === 1;
}

/** A node id, also a cluster's or a folder's: neither empty nor longer than {@link MAX_ID_BYTES}. */
export function readId(reader: ByteReader): string {
  return checkId(reader.text());
}

function checkId(id: string): string {
  if (!isId(id)) throw new ProtocolError('an id that is empty, too long or no UTF-8');
  return id;
}

/** Whether `id` can travel: 1 to {@link MAX_ID_BYTES} bytes of UTF-8 without replacement characters. */
export function isId(id: string): boolean {
  return id !== '' && byteLength(id) <= MAX_ID_BYTES && !/[\p{Surrogate}\ufffd]/u.test(id);
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
