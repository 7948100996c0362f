import tseslint from 'typescript-eslint';

const PURE = [
  'libs/kernel/src/**',
  'libs/domain/src/**',
  'libs/engine/src/**',
  'libs/raft/src/core/**',
  'libs/metadata/src/state/**',
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.pawl*/**', 'coverage/**', 'test/fixtures/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        // All code in one program: with one of each room, what these share was parsed and checked many times.
        project: './test/tsconfig.json',
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      eqeqeq: 'error',
      'no-console': 'error',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-params': 'off',
      '@typescript-eslint/max-params': ['error', { max: 4 }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: PURE,
    ignores: ['**/*.spec.ts', '**/*.fixture.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'Date',
          'process',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'performance',
          'crypto',
        ].map((name) => ({ name, message: 'Pure rooms take time, chance and I/O as arguments.' })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Use a seeded Rng.' },
      ],
    },
  },
  {
    files: ['**/*.spec.ts', '**/*.fixture.ts', '**/*.conformance.ts', 'test/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  { files: ['apps/cli/src/**', 'test/**'], rules: { 'no-console': 'off' } },
);
