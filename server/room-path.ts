/**
 * Which room a request is for: `/ws/chat/<room>/`, percent-decoded, whatever the query. The names are those of server/django/asgi.py, so
 * that the two servers share their rooms.
 */

/** What a path asks for. `bad-name`: it is the path of a room, but no room can be called that. */
export type Destination =
  | { readonly kind: 'room'; readonly room: string }
  | { readonly kind: 'bad-name' }
  | { readonly kind: 'health' }
  | { readonly kind: 'nothing' };

/** What a room can be called, for people. Short enough for the reason of a close frame (123 bytes). */
export const ROOM_NAME_RULE = 'a room is called by 1 to 80 of A-Z, a-z, 0-9, "_", "-" and "."';

const ROOM = /^[A-Za-z0-9_.-]{1,80}$/;

/** Reads the target of an HTTP request, such as `/ws/chat/room_a/?x=1`. Never throws. */
export function destinationOf(target: string): Destination {
  const path = target.split('?', 1)[0] ?? '';
  if (path === '/healthz') return { kind: 'health' };
  const encoded = /^\/ws\/chat\/([^/]*)\/$/.exec(path)?.[1];
  if (encoded === undefined) return { kind: 'nothing' };
  const room = decoded(encoded);
  return room !== null && ROOM.test(room) ? { kind: 'room', room } : { kind: 'bad-name' };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a % that begins nothing
  }
}
