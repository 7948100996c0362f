import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { NestLogger, ProblemException, ProblemFilter, type Logger } from '@pawl/platform';
import type { FastifyInstance } from 'fastify';
import { BodyGate } from './body-gate.js';
import { createRequestGuard } from './request-guard.js';
import { answerClientError, answerExpectation, answerRouterError } from './framework-errors.js';
import { KnownRoutes } from './known-routes.js';
import { acceptRawBodies } from './raw-body.js';
import { rawPath } from './request-address.js';

export interface HttpAppOptions {
  readonly module: Type | DynamicModule;
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly logger: Logger;
  /** Called once per finished request; streams that were taken over are not reported. */
  readonly observe: (request: FinishedRequest) => void;
  /** {@link ARRIVAL} unless told. */
  readonly arrival?: ArrivalLimits;
  /** One with `BODY_GATE` unless told. */
  readonly gate?: BodyGate;
}

/** How long a request may take to arrive whole, and its head: a slow sender holds a socket. */
export interface ArrivalLimits {
  readonly requestMs: number;
  readonly headMs: number;
  /** How often arrivals are looked at, so how much later than said they may be cut off. */
  readonly checkMs: number;
}

export const ARRIVAL: ArrivalLimits = { requestMs: 30_000, headMs: 10_000, checkMs: 1_000 };

export interface FinishedRequest {
  readonly method: string;
  /** As registered, `/v1/config/*`; undefined when nothing matched. */
  readonly route: string | undefined;
  readonly status: number;
  readonly elapsedMs: number;
}

/** Longer than the idle time-outs of usual proxies and clients, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Open sockets; one more is dropped. Well below the usual limit of 1,024 to 65,536 files. */
const MAX_CONNECTIONS = 8_192;

/**
 * The HTTP side of the control plane: Nest on Fastify, bodies and paths as they were sent, every
 * failure a problem. Not listening yet.
 */
export async function createHttpApp(options: HttpAppOptions): Promise<NestFastifyApplication> {
  const arrival = options.arrival ?? ARRIVAL;
  const adapter = new FastifyAdapter({
    logger: false,
    requestTimeout: arrival.requestMs,
    http: {
      headersTimeout: arrival.headMs,
      connectionsCheckingInterval: arrival.checkMs,
      // The guard refuses a request without Host itself, with a problem.
      requireHostHeader: false,
    },
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 1024 },
    frameworkErrors: answerRouterError,
    clientErrorHandler: answerClientError,
    skipMiddie: true,
  });
  const server = adapter.getInstance();
  acceptRawBodies(server, options.gate ?? new BodyGate());
  refuseStrangers(server, options);
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
  server.server.on('checkExpectation', answerExpectation);
  return app;
}

/** Refuses what the guard refuses, and methods that a path does not have (RFC 9110 §15.5.6). */
function refuseStrangers(server: FastifyInstance, options: HttpAppOptions): void {
  const guard = createRequestGuard(options);
  const routes = new KnownRoutes();
  server.addHook('onRoute', ({ url, method }) => routes.add(url, [method].flat()));
  server.addHook('onRequest', (request, reply, done) => {
    try {
      guard(request);
      const methods = request.is404 ? routes.methodsAt(rawPath(request)) : [];
      if (methods.length === 0) return done();
      reply.header('allow', methods.join(', '));
      throw ProblemException.of(
        'method-not-allowed',
        `${rawPath(request).slice(0, 200)} takes ${methods.join(', ')}.`,
      );
    } catch (error) {
      done(error as Error);
    }
  });
}
