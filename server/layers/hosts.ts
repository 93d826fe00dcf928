/** The Redis hosts of a layer: their URLs read into what the client needs, and a name for each that shows no password. */
import type { RedisOptions as ClientOptions } from 'ioredis';
import { optionError } from './options.js';

/** One Redis. */
export interface RedisHost {
  /** `127.0.0.1:6379`, or the path of its socket: for messages. */
  readonly label: string;
  readonly client: Omit<ClientOptions, 'replyMapping'>;
}

const FORMS = '"redis://[user[:password]@]host[:port][/db]", "rediss://…" or "unix:///path[?db=n]"';

/** The hosts of these URLs, in their order. Throws GAPTRACE_LAYER_OPTION on what is none; a password in it is not shown. */
export function redisHosts(
  urls: readonly string[] = ['redis://localhost:6379'],
  protocol: 2 | 3 = 2,
): readonly RedisHost[] {
  if (!Array.isArray(urls) || urls.length === 0) throw optionError('hosts', urls, `one or more of ${FORMS}`);
  if (protocol !== 2 && protocol !== 3) throw optionError('protocol', protocol, '2 or 3');
  return urls.map((text: string) => {
    const { label, client } = hostOf(text);
    return { label, client: { ...client, protocol } };
  });
}

function hostOf(text: string): RedisHost {
  const wrong = (why: string): Error => optionError('hosts', withoutPassword(text), `${FORMS}: ${why}`);
  if (!URL.canParse(text)) throw wrong('this is not a URL');
  const url = new URL(text);
  for (const key of url.searchParams.keys()) if (key !== 'db') throw wrong(`"${key}" is not understood`);
  const login = {
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
  };
  const db = (value: string | null): { db?: number } => {
    if (value === null || value === '') return {};
    if (!/^\d{1,9}$/.test(value)) throw wrong(`"${value}" is not the number of a database`);
    return { db: Number(value) };
  };
  const asked = url.searchParams.get('db');
  switch (url.protocol) {
    case 'unix:': {
      const path = decodeURIComponent(url.pathname);
      if (path === '' || url.hostname !== '') throw wrong('the path begins with a third slash');
      return { label: path, client: { path, ...db(asked) } };
    }
    case 'redis:':
    case 'rediss:': {
      const host =
        url.hostname === '' ? 'localhost' : decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '');
      const port = url.port === '' ? 6379 : Number(url.port);
      const tls = url.protocol === 'rediss:' ? { tls: {} } : {};
      const shown = host.includes(':') ? `[${host}]` : host;
      return {
        label: `${shown}:${port}`,
        client: { host, port, ...login, ...tls, ...db(asked ?? url.pathname.slice(1)) },
      };
    }
    default:
      throw wrong(`"${url.protocol}" is none of these`);
  }
}

function withoutPassword(text: unknown): unknown {
  return typeof text === 'string' ? text.replace(/\/\/.*@/, '//…@') : text;
}
