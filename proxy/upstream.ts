/**
 * The Redis behind the proxy: where it is, and how to open a connection to it. User and password of the URL are for
 * the observer's own connection only; what is logged, recorded or said in an error has them taken out.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { GaptraceError } from '../terminal/errors.js';
import { onread } from './unstreamed.js';

export type UpstreamAddress =
  | { readonly kind: 'tcp' | 'tls'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface Credentials {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

const EXAMPLE = 'such as redis://127.0.0.1:6379, rediss://redis.example:6380 or unix:/run/redis/redis.sock';
const DEFAULT_PORT = 6379;

export class Upstream {
  readonly address: UpstreamAddress;
  /** Not enumerable, so that no log or JSON of an Upstream shows it. */
  readonly #credentials: Credentials;

  private constructor(address: UpstreamAddress, credentials: Credentials) {
    this.address = address;
    this.#credentials = credentials;
  }

  /**
   * `redis://[user[:password]@]host[:port][/db]`, `rediss://…` (TLS), `unix:/path`, `unix:///path` or
   * `redis+unix:///path`. A bare `host:port` is taken as redis://. Throws GAPTRACE_UPSTREAM, without repeating the URL.
   */
  static parse(text: string): Upstream {
    const trimmed = text.trim();
    if (trimmed === '') throw wrong('it is empty');
    if (/^(redis\+)?unix:/i.test(trimmed)) return Upstream.#parseUnix(trimmed);
    return Upstream.#parseUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : bareAddress(trimmed));
  }

  static #parseUnix(text: string): Upstream {
    const rest = text.slice(text.indexOf(':') + 1);
    const match = /^(?:\/\/(?:([^@/]*)@)?)?(\/[^/?#][^?#]*)/.exec(rest);
    if (match === null) throw wrong('a unix: address needs an absolute path');
    const [username, ...password] = (match[1] ?? '').split(':');
    return new Upstream(
      { kind: 'unix', path: decode(match[2] ?? '', 'path') },
      credentials(username ?? '', password.join(':')),
    );
  }

  static #parseUrl(text: string): Upstream {
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      throw wrong(whatIsWrong(text));
    }
    const scheme = url.protocol.slice(0, -1);
    if (scheme !== 'redis' && scheme !== 'rediss') throw wrong(`'${scheme}' is not a scheme that it knows`);
    if (url.hostname === '') throw wrong('the host is missing');
    if (url.port === '0') throw wrong('port 0 is not a port to connect to');
    if (!/^\/?(\d+)?$/.test(url.pathname)) throw wrong('after the host only a database number may follow');
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return new Upstream(
      {
        kind: scheme === 'rediss' ? 'tls' : 'tcp',
        host,
        port: url.port === '' ? DEFAULT_PORT : Number(url.port),
      },
      credentials(url.username, url.password),
    );
  }

  /** The address without user, password and database: for logs, errors and the trace. */
  describe(): string {
    const { address } = this;
    if (address.kind === 'unix') return `unix:${address.path}`;
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    return `${address.kind === 'tls' ? 'rediss' : 'redis'}://${host}:${address.port}`;
  }

  /** For the observer's own connection. Never log or record them. */
  credentials(): Credentials {
    return this.#credentials;
  }

  /**
   * Starts a new connection: TCP without Nagle's delay, TLS (trusting NODE_EXTRA_CA_CERTS too) or a unix socket. It can be
   * written to at once, and stays half open after the other side's FIN. What is read goes to `read`, from `resume` on, and stays as it is.
   * Errors come as the socket's 'error' event.
   */
  connect(read: (chunk: Buffer) => void): Socket {
    const { address } = this;
    if (address.kind === 'tls') return connectOverTls(address.host, address.port).on('data', read);
    const options = { allowHalfOpen: true, onread: onread(read) };
    if (address.kind === 'unix') return connectTcp({ path: address.path, ...options });
    return connectTcp({ host: address.host, port: address.port, noDelay: true, ...options });
  }
}

function connectOverTls(host: string, port: number): Socket {
  // @types/node does not know that tls.connect takes allowHalfOpen, as its documentation says.
  const options: ConnectionOptions & { readonly allowHalfOpen: true } = { host, port, allowHalfOpen: true };
  if (isIP(host) === 0) options.servername = host;
  return connectTls(options).setNoDelay(true);
}

function credentials(username: string, password: string): Credentials {
  return {
    username: username === '' ? undefined : decode(username, 'user'),
    password: password === '' ? undefined : decode(password, 'password'),
  };
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(`the ${what} has a % that is not an escape (write %25 for a % of its own)`);
  }
}

function bareAddress(text: string): string {
  if (/^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i.test(text)) return `redis://${text}`;
  throw wrong('the scheme is missing');
}

/** What `new URL` does not like, told from the shape alone so that no part of a password is repeated. */
function whatIsWrong(text: string): string {
  const authority = text.replace(/^[^:]*:\/\//, '').split(/[/?#]/)[0] ?? '';
  const place = authority.slice(authority.lastIndexOf('@') + 1);
  if (place === '' || place.startsWith(':')) return 'the host is missing';
  return 'host or port (1 to 65535) is not understood; in a password, write %2F for /, %23 for # and %3F for ?';
}

function wrong(what: string): GaptraceError {
  return new GaptraceError(
    'GAPTRACE_UPSTREAM',
    `the upstream is not an address of a Redis: ${what}; give one ${EXAMPLE}`,
  );
}
