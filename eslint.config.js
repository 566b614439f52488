import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      '.cache',
      'dist',
      'node_modules',
      'models',
      'model_output',
      'output',
      '.venv',
      'test/fixtures',
      '**/*.ipynb',
      // AssemblyScript has types that TypeScript has not.
      '**/*.as.ts',
    ],
  },
  ...tseslint.configs.strict,
  {
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': 'off',
    },
  },
  {
    // The surfaces print; what the library has to tell goes to onNotice.
    files: ['lib/**/*.ts'],
    ignores: ['lib/cli.ts', 'lib/cli/**', 'lib/notebook/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        ...['stdout', 'stderr'].map((property) => ({
          object: 'process',
          property,
          message: 'The library does not print: take onNotice (lib/notice.ts).',
        })),
      ],
    },
  },
);
