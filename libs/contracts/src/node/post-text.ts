import { request as requestHttp } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';

/** What a server may answer at most; the rest is not read. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export interface Posted {
  /** Without user and password. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The deadline, until the last byte of the answer. */
  readonly signal: AbortSignal;
}

export type PostAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly text: string;
    }
  /**
   * `why` goes on from "it": short, for people, without anything of the headers. `status` where there is
   * an answer, but not one that is read: a redirect, or one that is too long.
   */
  | { readonly kind: 'none'; readonly why: string; readonly status?: number };

/**
 * Posts a text and reads the whole answer, up to a limit, over a connection of its own that ends with
 * it. Redirects are not followed: where we go is what an operator has allowed. Never rejects.
 *
 * Not by `fetch`: that of Node 20 takes an answer that was cut off for a whole one where the server closes
 * the connection, and an answer with nothing in it may be a yes.
 */
export async function postText(posted: Posted): Promise<PostAnswer> {
  try {
    const response = await post(posted);
    const { statusCode: status = 0, headers } = response;
    if (status >= 300 && status < 400) {
      response.destroy();
      return { kind: 'none', why: `answers ${status}: redirects are not followed`, status };
    }
    const text = await readText(response);
    if (text === undefined) return { kind: 'none', why: 'answers with more than 1 MiB', status };
    return { kind: 'answer', status, headers, text };
  } catch (error) {
    return { kind: 'none', why: posted.signal.aborted ? 'did not answer in time' : explain(error) };
  }
}

function post({ url, headers, body, signal }: Posted): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  const own = { 'user-agent': 'pawl', 'content-length': Buffer.byteLength(body, 'utf8') };
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers: { ...headers, ...own }, agent: false, signal };
    const sent = request(url, options, resolve);
    // Stays: once the answer has begun its reading tells what breaks.
    sent.on('error', reject);
    sent.end(body);
  });
}

/** `undefined`: too long; leaving the loop destroys the response, so the rest of it is not waited for. */
async function readText(response: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.byteLength;
    if (length > MAX_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Where several addresses were tried there is no message, only a code. */
function explain(error: unknown): string {
  const { message, code } = error as { readonly message?: string; readonly code?: string };
  return `does not answer: ${message || code || String(error)}`;
}
