import { Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import type {
  ConfigEngine,
  EngineStatus,
  FleetStatus,
  RestoreUseCases,
  WebhookUseCases,
} from '@pawl/engine';
import { Metrics, Readiness, type ReadinessCheck } from '@pawl/platform';
import { ClusterController, type QuorumMembers } from './cluster/cluster.controller.js';
import { ConfigController } from './config/config.controller.js';
import { ConsumersController } from './consumers/consumers.controller.js';
import { EffectiveController } from './effective/effective.controller.js';
import { HealthController } from './health/health.controller.js';
import { HistoryController } from './history/history.controller.js';
import { ControlPlaneMetrics } from './metrics/control-plane-metrics.js';
import { MergeController } from './merge/merge.controller.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { OpenApiController } from './openapi/openapi.controller.js';
import { PreflightController } from './preflight/preflight.controller.js';
import { PreviewController } from './preview/preview.controller.js';
import { ReleaseController } from './release/release.controller.js';
import { ReleasesController } from './releases/releases.controller.js';
import { RestoreController } from './restore/restore.controller.js';
import { RolloutController } from './rollout/rollout.controller.js';
import { RolloutStreams } from './rollout/rollout-streams.js';
import { SchemaController } from './schema/schema.controller.js';
import { ScopesController } from './scopes/scopes.controller.js';
import {
  CONFIG_ENGINE,
  INSTALLATION,
  QUORUM_MEMBERS,
  RESTORE,
  SERVES_ROOT,
  type ServesRoot,
  WEBHOOKS,
} from './tokens.js';
import { WebhooksController } from './webhooks/webhooks.controller.js';

export interface AppModuleOptions {
  readonly engine: ConfigEngine;
  readonly restore: RestoreUseCases;
  readonly webhooks: Pick<WebhookUseCases, 'list' | 'retry'>;
  readonly serves: ServesRoot;
  readonly engineStatus: () => EngineStatus;
  readonly fleetStatus: () => FleetStatus;
  readonly quorumMembers: QuorumMembers;
  /** `<name>/<id>` */
  readonly installation: string;
  readonly readiness: readonly ReadinessCheck[];
  readonly metrics: ControlPlaneMetrics;
  readonly registry: Metrics;
  /** Message handlers over NATS and what they inject. */
  readonly microservice?: {
    readonly controllers: readonly Type[];
    readonly providers: readonly Provider[];
  };
}

/** The whole application: every controller over one engine. */
@Module({})
export class AppModule {
  static with(options: AppModuleOptions): DynamicModule {
    const { controllers = [], providers = [] } = options.microservice ?? {};
    return {
      module: AppModule,
      controllers: [
        ConfigController,
        SchemaController,
        ReleaseController,
        ReleasesController,
        EffectiveController,
        RolloutController,
        ConsumersController,
        HistoryController,
        PreviewController,
        MergeController,
        PreflightController,
        ScopesController,
        ClusterController,
        RestoreController,
        WebhooksController,
        HealthController,
        MetricsController,
        OpenApiController,
        ...controllers,
      ],
      providers: [
        { provide: CONFIG_ENGINE, useValue: options.engine },
        { provide: RESTORE, useValue: options.restore },
        { provide: WEBHOOKS, useValue: options.webhooks },
        { provide: SERVES_ROOT, useValue: options.serves },
        { provide: QUORUM_MEMBERS, useValue: options.quorumMembers },
        { provide: INSTALLATION, useValue: options.installation },
        { provide: Metrics, useValue: options.registry },
        { provide: Readiness, useValue: new Readiness(options.readiness) },
        RolloutStreams,
        {
          provide: ControlPlaneMetrics,
          inject: [RolloutStreams],
          useFactory: (streams: RolloutStreams) => {
            options.metrics.showState(options.engineStatus, () => streams.open);
            options.metrics.showFleet(options.fleetStatus);
            return options.metrics;
          },
        },
        ...providers,
      ],
    };
  }
}
