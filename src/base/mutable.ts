/** An object that is still being filled in. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
