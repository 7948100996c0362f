import type { CallOutcome, CallRequest } from './call.js';

export interface Question {
  readonly url: string;
  readonly scope: string;
  readonly request: CallRequest;
  readonly id: string;
  /** Of the document to put: canonical. */
  readonly body: string;
  readonly deadlineMs: number;
}

/** Sent to a node that was not there: connection refused before anything was written. */
const NOT_SENT = new Set(['ECONNREFUSED']);
/** Problems that say that nothing was done; every other of the 5xx leaves it open. */
const NOT_DONE = new Set(['no-owner', 'truth-unavailable']);

/** Sends a call once; never rejects. */
export async function ask(question: Question): Promise<CallOutcome> {
  const { request } = question;
  try {
    const answer = await fetch(urlOf(question), {
      ...initOf(question),
      signal: AbortSignal.timeout(question.deadlineMs),
    });
    return read(request, answer.status, (await answer.json()) as Answer);
  } catch (error) {
    const why = reasonOf(error);
    return { kind: NOT_SENT.has(why) ? 'failed' : 'unknown', why };
  }
}

function urlOf({ url, scope, request }: Question): string {
  const isConfig = request.kind === 'put' || request.kind === 'get-config';
  return `${url}/v1/${isConfig ? 'config' : 'release'}/${scope}`;
}

function initOf({ request, id, body }: Question): RequestInit {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'x-pawl-actor': id,
  };
  switch (request.kind) {
    case 'put': {
      if (request.keyed) headers['idempotency-key'] = id;
      if (request.expected === 0) headers['if-none-match'] = '*';
      else headers['if-match'] = request.expected === null ? '*' : `"${request.expected}"`;
      return { method: 'PUT', headers, body };
    }
    case 'promote':
    case 'rollback': {
      const wish = {
        action: request.kind,
        ...(request.target === null ? {} : { targetVersion: request.target }),
        ...(request.expected === null ? {} : { expectedReleaseVersion: request.expected }),
        ...(request.kind === 'rollback' ? { reason: id } : {}),
      };
      return { method: 'POST', headers, body: JSON.stringify(wish) };
    }
    case 'get-config':
    case 'get-release':
      return { headers };
  }
}

interface Answer {
  readonly version: number;
  readonly hash: string;
  readonly author: string;
  readonly releaseVersion: number;
  readonly state: string;
  readonly stableVersion: number | null;
  readonly code?: string;
  readonly detail?: string;
  readonly currentVersion?: number;
  readonly currentReleaseVersion?: number;
}

function read(request: CallRequest, status: number, answer: Answer): CallOutcome {
  if (status < 300) {
    if (request.kind === 'put' || request.kind === 'get-config') {
      const { version, hash, author } = answer;
      return { kind: 'definition', version, hash, author };
    }
    const { releaseVersion, state, stableVersion } = answer;
    return { kind: 'release', releaseVersion, state, stableVersion };
  }
  const code = answer.code ?? String(status);
  if (status === 429 || NOT_DONE.has(code)) return { kind: 'failed', why: code };
  if (status >= 500 || status === 408 || code === 'still-running') {
    return { kind: 'unknown', why: code };
  }
  const current = request.kind === 'put' ? answer.currentVersion : answer.currentReleaseVersion;
  return { kind: 'refused', code, current: current ?? null };
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return error instanceof Error ? error.name : String(error);
}
