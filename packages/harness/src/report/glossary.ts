/** A term of the report, explained where it stands first. */
export interface Term {
  readonly term: string;
  /** What a heading or a sentence with the term in it looks like. */
  readonly sign: RegExp;
  readonly text: string;
}

/** Every term that a table uses, in the order in which readers meet them. */
export const glossary: readonly Term[] = [
  {
    term: '±',
    sign: /±/,
    text: 'behind a value in a table: its standard error, over seeds from two on, else over the samples of the one run; behind a difference in a sentence: half of the 95 % interval of that comparison alone, so that of twenty equal pairs one is likely to look different',
  },
  {
    term: 'accuracy',
    sign: /accuracy/,
    text: 'share of the asked places where the most likely token is the right one, in percent',
  },
  {
    term: 'beyond training',
    sign: /beyond/,
    text: 'asked at lengths, distances or numbers of pairs that were in no training example; the farthest of those that were asked',
  },
  {
    term: 'bits per character',
    sign: /bits per char/,
    text: 'surprise at the characters of a text that was not trained on, −log₂ of their probability, mean; lower is better, and 1 bit is a coin toss for every character',
  },
  {
    term: 'nats',
    sign: /\bnats\b/,
    text: 'surprise with the natural logarithm in place of the binary one: 1 nat is 1.443 bits',
  },
  {
    term: 'one stream, in windows',
    sign: /one stream|in windows/,
    text: 'the whole text read with the memory carried from end to end, or in short pieces that each begin with an empty memory',
  },
  {
    term: 'time per token',
    sign: /time per token|ms per token/,
    text: 'milliseconds for one generated token with the text in memory, median',
  },
  {
    term: 'training, tokens/s',
    sign: /training,? (higher|tokens)|Training speed: training/,
    text: 'tokens that a training step goes through per second: forward, backward and the update of the weights',
  },
  {
    term: 'reading, writing',
    sign: /reading, tokens/,
    text: 'tokens per second while a given text is taken into the memory, and while new text is generated one token after the other',
  },
  {
    term: 'first token',
    sign: /first token/,
    text: 'milliseconds from an empty memory to the first generated token: the whole text is read in between',
  },
  {
    term: 'peak of the process',
    sign: /peak of the process/,
    text: 'largest resident memory of the program while the cell ran, weights and runtime included',
  },
  {
    term: 'memory',
    sign: /^memory$/,
    text: 'bytes that a model keeps of one text between two tokens; weights are not part of it',
  },
  {
    term: 'width',
    sign: /^width$/,
    text: 'numbers per token inside of the model',
  },
  {
    term: 'parameters',
    sign: /^parameters$/,
    text: 'numbers that training adjusts; in brackets how far they are from the median of what has the same width in the table, where that is more than 5 %',
  },
  {
    term: 'rate',
    sign: /^rate$/,
    text: 'peak learning rate of training; of several that were tried the best is shown',
  },
  {
    term: 'seeds',
    sign: /^seeds$/,
    text: 'runs that differ in nothing but their random numbers; values are means over them',
  },
  {
    term: 'CPU time',
    sign: /^CPU time$/,
    text: 'seconds of all cores together for one run, training and asking',
  },
  {
    term: 'chance',
    sign: /blind guess|chance/,
    text: 'what guessing without a memory would reach; the dotted line of pictures',
  },
];
