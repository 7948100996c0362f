import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReleaseEvent } from '@pawl/contracts';

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WebhookReceiver {
  readonly url: string;
  /** Events in the order in which they were taken, doubles included. */
  readonly taken: readonly ReleaseEvent[];
  /** Ids of what was sent and not taken. */
  readonly refused: readonly string[];
  /** What was wrong with what came: signature, content type, an id that does not fit. */
  readonly problems: readonly string[];
  /** How events are answered from now on; 204, 200 and so on are taken. */
  answers(how: (event: ReleaseEvent) => Answer): void;
  /** So many requests from now on are not taken: answered with an error, and cut off, in turn. */
  refuse(requests: number): void;
  close(): Promise<void>;
}

/** A server on loopback that takes webhooks which are signed with this secret. */
export async function startWebhookReceiver(secret: string): Promise<WebhookReceiver> {
  const [taken, refused, problems]: [ReleaseEvent[], string[], string[]] = [[], [], []];
  let toRefuse = 0;
  let answer: (event: ReleaseEvent) => Answer = () => ({ status: 204 });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const event = JSON.parse(body) as ReleaseEvent;
      problems.push(...judge(request.headers, body, { secret, id: event.id }));
      if (toRefuse > 0) {
        toRefuse -= 1;
        refused.push(event.id);
        if (toRefuse % 2 === 0) request.socket.destroy();
        else response.writeHead(503).end('not now');
        return;
      }
      const { status, headers = {} } = answer(event);
      if (status < 300) taken.push(event);
      else refused.push(event.id);
      response.writeHead(status, headers).end();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...{ url: `http://127.0.0.1:${port}/hooks`, taken, refused, problems },
    answers: (how) => void (answer = how),
    refuse: (requests) => void (toRefuse = requests),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** As the specification of Standard Webhooks tells receivers to. */
function judge(
  headers: IncomingHttpHeaders,
  body: string,
  { secret, id }: { readonly secret: string; readonly id: string },
): string[] {
  const of = (name: string): string => String(headers[name]);
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = `${of('webhook-id')}.${of('webhook-timestamp')}.${body}`;
  const expected = `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
  const ageS = Math.abs(Date.now() / 1_000 - Number(of('webhook-timestamp')));
  return [
    ...(of('webhook-signature').split(' ').includes(expected) ? [] : ['wrong signature']),
    ...(of('webhook-id') === id ? [] : [`id ${of('webhook-id')} of event ${id}`]),
    ...(ageS < 300 ? [] : [`sent ${ageS} s away`]),
    ...(of('content-type').startsWith('application/cloudevents+json') ? [] : ['content type']),
  ];
}
