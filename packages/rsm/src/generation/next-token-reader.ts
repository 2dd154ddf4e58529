/** One text being read, whose next token can be asked for. */
export interface NextTokenReader {
  /** Reads a text into the memory, as if it were over: the tokens are not part of what is written on. */
  readDocument(ids: ArrayLike<number>): Promise<void>;
  /** Reads more of the text that is written on. */
  read(ids: ArrayLike<number>): Promise<void>;
  /** Logits of the token after everything read, [vocabSize]. Ask once per token. */
  logits(): Promise<Float32Array>;
  dispose(): Promise<void>;
}
