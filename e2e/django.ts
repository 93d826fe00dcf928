/** The demo starts the same Django server as the tests do: see demo/django.ts. */
export * from '../demo/django.js';
