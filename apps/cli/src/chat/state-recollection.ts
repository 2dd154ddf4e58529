import type { OpenStateMemory, Session } from '@palimpsest/lm';
import type { Prompt } from './prompting.js';
import { linesOf, type Recalled, type Recollection } from './recollection.js';

/** What was said, kept beside a model: put into the prompt as texts, or before it as the model's own states. */
export type AnyRecollection = Recollection | StateRecollection;

/**
 * Puts the states of what a memory finds before every line, which stands there alone: what was said before is the memory's. Lines that
 * ask are not kept, as nothing is more like a question than the question.
 */
export class StateRecollection {
  #last: Recalled = { texts: [], tokens: 0 };

  constructor(
    private readonly memory: OpenStateMemory,
    private readonly folder: string,
  ) {}

  /** What was found for the last line, best first. */
  get last(): Recalled {
    return this.#last;
  }

  get budget(): number {
    return this.memory.budget;
  }

  /** What ends an answer, as another line would begin with it. */
  get stop(): string | undefined {
    return this.memory.turn || undefined;
  }

  /** Where the texts are, and how many. */
  get about(): string {
    return `${this.memory.size} texts in '${this.folder}'`;
  }

  /** Puts what a line finds into the session, in the place of all that it held, and gives the line in the form of the adapters. */
  async before(said: string, session: Session): Promise<Prompt> {
    const { texts, positions, state, prompt } = await this.memory.recall(said);
    this.#last = { texts, tokens: positions };
    await session.prefill([]);
    if (state) {
      const empty = await session.snapshot();
      await session.restore({ ...empty, state, position: positions });
    }
    for (const line of linesOf(said)) if (!line.trimEnd().endsWith('?')) await this.memory.add(line);
    return { ids: prompt, keepContext: true };
  }

  /** The session holds nothing but what a line found, and that is found anew for each. */
  forget(): void {}

  close(): Promise<void> {
    return this.memory.close();
  }
}
