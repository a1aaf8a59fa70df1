/** Trying whether a method works: what is refused is the answer, what is unexpected stays an error. */
import { RxError } from '../base/errors.js';
import { type FeatureAnswer, YES, no } from '../feature/engine.js';

/**
 * Tries something that leaves nothing behind.
 * @param attempt throws an RxError where it is refused, or returns why it is of no use; nothing where it works
 */
export function tried(attempt: () => string | undefined | void): FeatureAnswer {
  try {
    const why = attempt();
    return why === undefined ? YES : no(why);
  } catch (error) {
    if (error instanceof RxError) return no(error.message);
    throw error;
  }
}
