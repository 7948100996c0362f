import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { NestLogger, ProblemFilter, type Logger } from '@pawl/platform';
import { createRequestGuard } from './request-guard.js';
import { answerClientError, answerRouterError } from './framework-errors.js';
import { acceptRawBodies } from './raw-body.js';

export interface HttpAppOptions {
  readonly module: Type | DynamicModule;
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly logger: Logger;
  /** Called once per finished request; streams that were taken over are not reported. */
  readonly observe: (request: FinishedRequest) => void;
}

export interface FinishedRequest {
  readonly method: string;
  /** As registered, `/v1/config/*`; undefined when nothing matched. */
  readonly route: string | undefined;
  readonly status: number;
  readonly elapsedMs: number;
}

/** How long a request may take to arrive whole, and its head: a slow sender holds a socket. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the idle time-outs of usual proxies and clients, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Open sockets; one more is dropped. Well below the usual limit of 1,024 to 65,536 files. */
const MAX_CONNECTIONS = 8_192;

/**
 * The HTTP side of the control plane: Nest on Fastify, bodies and paths as they were sent, every
 * failure a problem. Not listening yet.
 */
export async function createHttpApp(options: HttpAppOptions): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    logger: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 1024 },
    frameworkErrors: answerRouterError,
    clientErrorHandler: answerClientError,
    skipMiddie: true,
  });
  const server = adapter.getInstance();
  acceptRawBodies(server);
  const guard = createRequestGuard(options);
  server.addHook('onRequest', (request, _reply, done) => {
    try {
      guard(request);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  server.addHook('onResponse', (request, reply, done) => {
    options.observe({
      method: request.method,
      route: request.is404 ? undefined : request.routeOptions.url,
      status: reply.statusCode,
      elapsedMs: reply.elapsedTime,
    });
    done();
  });
  const app = await NestFactory.create<NestFastifyApplication>(options.module as Type, adapter, {
    bodyParser: false,
    abortOnError: false,
    logger: new NestLogger(options.logger),
  });
  app.useGlobalFilters(new ProblemFilter(options.logger));
  server.server.maxConnections = MAX_CONNECTIONS;
  return app;
}
