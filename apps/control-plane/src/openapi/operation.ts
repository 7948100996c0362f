import { PROBLEMS, type ProblemCode } from '@pawl/contracts';
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
  /** What it may be refused for; a code may be named twice. */
  readonly problems: readonly ProblemCode[];
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
      ...byStatus(problems).map(([status, codes]) => [status, problemAnswer(status, codes)]),
      ...answers.map((answer) => [answer.status, renderAnswer(answer)]),
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

function byStatus(codes: readonly ProblemCode[]): readonly [number, readonly ProblemCode[]][] {
  const found = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes)) {
    const { status } = PROBLEMS[code];
    found.set(status, [...(found.get(status) ?? []), code]);
  }
  return [...found];
}

const WHEN: Readonly<Record<number, string>> = {
  400: 'Malformed: JSON, address, precondition, parameter',
  403: 'Not from a web page of another origin',
  404: 'Not found',
  405: 'The path does not take this method',
  408: 'The request did not arrive in time',
  409: 'Not possible in this state',
  412: 'Another version is there',
  413: 'Too large or too deep',
  415: 'Wrong content type or encoding',
  417: 'Expect holds something else than 100-continue',
  421: 'The Host header is not a name of this server',
  422: 'Refused by a schema, or the idempotency key was used with another request',
  428: 'A precondition is required',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'No owner or no PostgreSQL just now',
};

const RETRY_AFTER = { 'Retry-After': { description: 'Seconds', schema: { type: 'integer' } } };
const ALLOW = { Allow: { description: 'The methods it takes', schema: { type: 'string' } } };
const PROBLEM_HEADERS: Readonly<Record<number, Schema>> = {
  405: ALLOW,
  429: RETRY_AFTER,
  503: RETRY_AFTER,
};

function problemAnswer(status: number, codes: readonly ProblemCode[]): Schema {
  const headers = PROBLEM_HEADERS[status];
  return {
    description: `${WHEN[status] ?? 'Problem'} (${codes.join(', ')})`,
    ...(headers === undefined ? {} : { headers }),
    content: content({ [PROBLEM_CONTENT_TYPE]: 'Problem' }),
  };
}
