import { MetadataUnavailableError } from '@pawl/metadata';

const RETRY_MS = 200;

/**
 * Does `work`, which may be done twice, until the metadata answers. Members of a quorum that start one
 * after the other wait for each other, however long that takes; `say` is told once what of.
 */
export async function untilAnswered<T>(
  work: () => Promise<T>,
  say: (text: string) => void,
): Promise<T> {
  for (let said = false; ; said = true) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MetadataUnavailableError)) throw error;
      if (!said) say(`waiting for a majority of the quorum: ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
