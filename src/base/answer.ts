/** A fact that may not be knowable here: the value, or why it is not known. Never a guess. */
export type Answer<T> =
  | { readonly known: true; readonly value: T }
  | { readonly known: false; readonly why: string };

/** A known fact. */
export function known<T>(value: T): Answer<T> {
  return { known: true, value };
}

/** A fact that cannot be told here, with the reason as a lower-case fragment. */
export function unknown(why: string): { readonly known: false; readonly why: string } {
  return { known: false, why };
}
