import { address } from '@pawl/contracts';
import type { ProbedRelease } from '@pawl/engine';

/** A release that gates are asked about. */
export const RELEASE: ProbedRelease = {
  address: address('acme/prod/checkout:limits').text,
  releaseId: '0123456789abcdef',
  version: 7,
  stableVersion: 6,
  stage: 1,
  stages: 3,
  workloads: ['checkout', 'search'],
  candidates: 12,
};
