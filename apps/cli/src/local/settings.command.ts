import { describeSettings } from '@pawl/platform/local';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { print, table } from '../output.js';

export function addSettings(program: Command, context: CliContext): void {
  program
    .command('settings')
    .description('list every setting: environment variable, default, meaning')
    .action(() => {
      const settings = describeSettings();
      print(context.terminal, context.format(), settings, () =>
        table(
          ['variable', 'default', 'meaning'],
          settings.map((setting) => [setting.name, setting.default, setting.description]),
        ),
      );
    });
}
