export { Readiness } from './health/readiness.js';
export type { ReadinessCheck, ReadinessReport } from './health/readiness.js';
export { createLogger, flushLog } from './logging/logger.js';
export type { Logger, LoggerOptions } from './logging/logger.js';
export { NestLogger } from './logging/nest-logger.js';
export { PatientOutput, processOutput } from './logging/patient-output.js';
export { Metrics } from './metrics/metrics.js';
export type { MetricOptions } from './metrics/metrics.js';
export { ProblemException } from './problems/problem.exception.js';
export { ProblemFilter } from './problems/problem.filter.js';
export { PROBLEM_CONTENT_TYPE, problemResponse } from './problems/problem-response.js';
export type { ProblemResponse } from './problems/problem-response.js';
export { toProblem } from './problems/to-problem.js';
export {
  listEndpoints,
  ownProcess,
  readEndpoints,
  removeEndpoints,
  writeEndpoints,
} from './runtime/endpoints-file.js';
export type { Endpoints } from './runtime/endpoints-file.js';
export { knownInstallation, rememberInstallation } from './runtime/installation-file.js';
export { isLoopback, loadSettings } from './settings/load-settings.js';
export type { Environment, LoadedSettings } from './settings/load-settings.js';
export { redactUrl } from './settings/redact-url.js';
export { addressText, parseHostPort } from './settings/host-port.js';
export { describeQuorumSettings, describeSettings } from './settings/setting-table.js';
export type {
  QuorumSettingDescription,
  SettingDescription,
  SettingName,
} from './settings/setting-table.js';
export { LOG_LEVELS } from './settings/settings.js';
export type {
  CompactionSetting,
  HostPort,
  ListenSetting,
  LogLevel,
  MetadataSetting,
  PeerSetting,
  QuorumSettings,
  Settings,
  TlsFiles,
} from './settings/settings.js';
