import type { NestFastifyApplication } from '@nestjs/platform-fastify';

/** How long requests may take to finish at shutdown before their connections are cut. */
const HTTP_GRACE_MS = 3_000;
/** What the rest of closing takes after that. */
const CUT_BEFORE_MS = 500;

/** Takes no more connections, lets requests finish for a while, then cuts them; within `boundMs`. */
export async function closeHttpApp(app: NestFastifyApplication, boundMs: number): Promise<void> {
  const server = app.getHttpServer();
  const graceMs = Math.max(0, Math.min(HTTP_GRACE_MS, boundMs - CUT_BEFORE_MS));
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}

/** Where clients on this machine go: a server on all addresses is reached by loopback. */
export function baseUrl(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
