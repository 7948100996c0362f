import { describeQuorumSettings } from '@pawl/platform';

const FOLDER_CODES = new Set(['EACCES', 'EPERM', 'ENOTDIR', 'EEXIST', 'EROFS', 'ENOSPC', 'ENOENT']);

/** Why a member does not start or has failed, for whoever typed the command. */
export function failureText(error: unknown, dataDir: string): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  const ofFolder = code !== undefined && syscall !== undefined && FOLDER_CODES.has(code);
  if (!ofFolder) return nameOptions(message);
  return nameOptions(
    `the data folder ${dataDir} cannot be used (${message}): make it a folder that this user may write to, or name another with PAWL_DATA_DIR`,
  );
}

/** Names the option beside each variable of a member's settings that the text names. */
export function nameOptions(text: string): string {
  const options = new Map<string, string>(
    describeQuorumSettings().map(({ name, option }) => [name, option]),
  );
  return text.replaceAll(/PAWL_[A-Z_]+/g, (name) => {
    const option = options.get(name);
    return option === undefined ? name : `--${option} (${name})`;
  });
}
