/** How a question is asked: what stands in the prompt, and what of the memory stands before it. */
export const modes = {
  Z_no_memory: 'the question alone: what the model guesses',
  X_wrong_memory: 'as A, with every thing in the memories replaced by another: what leaks',
  D_full_history: 'everything that was told, in the prompt',
  B_flat_cos: 'the texts of three memories by the cosine of plain features',
  B_ams_text: 'the texts of three memories by trained retrieval',
  A_ams_prefix: 'the question behind the memory',
  C_ams_hybrid: 'the text of the best memory and the question, behind the memory',
  C0_top1_text: 'as C without the memory: what C owes to its text',
  O_oracle_prefix: 'as A, with the right memory in the first place',
  O1_oracle_alone: 'as A, with the right memory alone',
} as const;

export type Mode = keyof typeof modes;

export const modeNames = [
  'Z_no_memory',
  'X_wrong_memory',
  'D_full_history',
  'B_flat_cos',
  'B_ams_text',
  'A_ams_prefix',
  'C_ams_hybrid',
  'C0_top1_text',
  'O_oracle_prefix',
  'O1_oracle_alone',
] as const satisfies readonly Mode[];
