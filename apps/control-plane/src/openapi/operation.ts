import { PROBLEM_CONTENT_TYPE } from '@pawl/platform';
import { ref, type Schema } from './schemas.js';

/** One call of the REST API, as the document describes it. */
export interface Operation {
  readonly method: 'get' | 'put' | 'patch' | 'post' | 'delete';
  /** OpenAPI path template. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  /** Content type to schema name. */
  readonly body?: Readonly<Record<string, string>>;
  readonly answers: readonly Answer[];
  /** Statuses answered with a problem. */
  readonly problems: readonly number[];
}

export interface Answer {
  readonly status: number;
  readonly description: string;
  /** Content type to schema name; none for an answer without a body. */
  readonly content?: Readonly<Record<string, string>>;
  readonly headers?: readonly (keyof typeof ANSWER_HEADERS)[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description: string;
  readonly schema: Schema;
}

export const ANSWER_HEADERS = {
  ETag: { description: 'The definition version in double quotes', schema: { type: 'string' } },
  Location: { description: 'Where the definition is read', schema: { type: 'string' } },
  'Idempotency-Replayed': {
    description: 'true: the first answer to this key, again',
    schema: { type: 'string' },
  },
} as const;

/** The operation as an OpenAPI 3.1 operation object. */
export function renderOperation(operation: Operation): Schema {
  const { operationId, summary, parameters = [], body, answers, problems } = operation;
  return {
    operationId,
    summary,
    tags: [operation.path.split('/').find((part) => part !== '' && part !== 'v1') ?? 'other'],
    parameters: parameters.map((parameter) => ({ ...parameter })),
    ...(body === undefined ? {} : { requestBody: { required: true, content: content(body) } }),
    responses: Object.fromEntries([
      ...answers.map((answer) => [String(answer.status), renderAnswer(answer)]),
      ...problems.map((status) => [String(status), problemAnswer(status)]),
    ]) as Schema,
  };
}

function renderAnswer({ description, content: types, headers }: Answer): Schema {
  return {
    description,
    ...(headers === undefined
      ? {}
      : { headers: Object.fromEntries(headers.map((name) => [name, ANSWER_HEADERS[name]])) }),
    ...(types === undefined ? {} : { content: content(types) }),
  };
}

function content(types: Readonly<Record<string, string>>): Schema {
  return Object.fromEntries(
    Object.entries(types).map(([type, name]) => [
      type,
      { schema: name === 'string' ? { type: 'string' } : ref(name) },
    ]),
  );
}

const WHEN: Readonly<Record<number, string>> = {
  400: 'Malformed: JSON, address, precondition, parameter',
  404: 'Not found',
  409: 'Not possible in this state',
  412: 'Another version is there',
  413: 'Too large or too deep',
  415: 'Wrong content type',
  422: 'Refused by a schema, or the idempotency key was used with another request',
  428: 'A precondition is required',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'No owner or no PostgreSQL just now',
};

function problemAnswer(status: number): Schema {
  const waits = status === 429 || status === 503;
  return {
    description: WHEN[status] ?? 'Problem',
    ...(waits
      ? { headers: { 'Retry-After': { description: 'Seconds', schema: { type: 'integer' } } } }
      : {}),
    content: content({ [PROBLEM_CONTENT_TYPE]: 'Problem' }),
  };
}
