import { ProblemError } from '@pawl/admin-client';

/** The answer; `undefined` where it is that nothing is there. */
export async function found<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ProblemError && error.problem.status === 404) return undefined;
    throw error;
  }
}
