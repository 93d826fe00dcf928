/** The demo starts the same private Redis as the tests do: see demo/redis.ts. */
export * from '../demo/redis.js';
