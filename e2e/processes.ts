/** The demo starts the same programs as the tests do: see demo/programs.ts. */
export * from '../demo/programs.js';
