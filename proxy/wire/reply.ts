/** A decoded Redis reply, RESP2 or RESP3. The wire's distinctions are kept: `+OK` is not `$2 OK`, and the three nulls differ. */
export type Reply =
  | { readonly kind: 'simple'; readonly text: string }
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'bulk'; readonly bytes: Buffer }
  | { readonly kind: 'null'; readonly form: 'bulk' | 'array' | 'resp3' }
  | { readonly kind: 'array' | 'set' | 'push'; readonly items: readonly Reply[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Reply, Reply])[] }
  | { readonly kind: 'double'; readonly value: number; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'big-number'; readonly digits: string }
  | { readonly kind: 'verbatim'; readonly format: string; readonly bytes: Buffer };

export type ReplyKind = Reply['kind'];
