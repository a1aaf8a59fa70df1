/**
 * Questions to the kernel that have three answers: yes, no with the reason, and could not tell with the reason. A
 * feature is tried, never derived from a version: distributions backport and builders leave out. Sure answers are
 * kept; an unsure one is asked again, because privilege or memory may be there the next time.
 */

/** The answer to a question about the kernel. */
export interface FeatureAnswer {
  readonly possible: 'yes' | 'no' | 'unknown';
  /** Why not, or why it could not be told; empty for yes. A lower-case fragment. */
  readonly reason: string;
}

/** It works. */
export const YES: FeatureAnswer = { possible: 'yes', reason: '' };

/** It does not work, and that will not change while this kernel runs. */
export function no(reason: string): FeatureAnswer {
  return { possible: 'no', reason };
}

/** Nobody can say from here. */
export function couldNotTell(reason: string): FeatureAnswer {
  return { possible: 'unknown', reason };
}

/** Asks each question once, as long as the answer is sure. */
export class Features {
  private readonly sure = new Map<string, FeatureAnswer>();

  /** The answer to question `id`; `ask` runs only when it is not known yet. Whatever it throws is "could not tell". */
  answer(id: string, ask: () => FeatureAnswer): FeatureAnswer {
    const before = this.sure.get(id);
    if (before !== undefined) return before;
    let answer: FeatureAnswer;
    try {
      answer = ask();
    } catch (error) {
      answer = couldNotTell(error instanceof Error ? error.message : String(error));
    }
    if (answer.possible !== 'unknown') this.sure.set(id, answer);
    return answer;
  }
}

/** All must be possible: the first no decides, then the first unknown. */
export function allOf(answers: readonly FeatureAnswer[]): FeatureAnswer {
  return answers.find((a) => a.possible === 'no') ?? answers.find((a) => a.possible === 'unknown') ?? YES;
}

/** One must be possible: the first yes decides, then the first unknown. */
export function anyOf(answers: readonly FeatureAnswer[]): FeatureAnswer {
  return (
    answers.find((a) => a.possible === 'yes') ??
    answers.find((a) => a.possible === 'unknown') ??
    answers[0] ??
    no('there is nothing to try')
  );
}
