/** Counts of one server since it began. */
export class Metrics {
  /** Requests by path and status. */
  readonly #requests = new Map<string, number>();
  readonly #start = performance.now();
  tokensRead = 0;
  tokensWritten = 0;
  /** Replies that ended because the client left. */
  cancelled = 0;

  /** Requests that have no answer yet. */
  open = 0;

  answered(route: string, status: number): void {
    const labels = `route="${route}",status="${status}"`;
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
  }

  /**
   * In the text format of Prometheus.
   * @param gauges further values that are what they are now, by name: meaning and number
   */
  text(gauges: Readonly<Record<string, readonly [meaning: string, value: number]>>): string {
    const seconds = (performance.now() - this.#start) / 1000;
    const resident = process.memoryUsage.rss();
    return [
      family('requests_total', 'counter', 'requests answered', [...this.#requests]),
      family('tokens_read_total', 'counter', 'tokens of prompts', [['', this.tokensRead]]),
      family('tokens_written_total', 'counter', 'tokens of replies', [['', this.tokensWritten]]),
      family('cancelled_total', 'counter', 'replies whose client left', [['', this.cancelled]]),
      family('uptime_seconds', 'gauge', 'since the server began', [['', seconds]]),
      family('resident_bytes', 'gauge', 'memory of the process', [['', resident]]),
      ...Object.entries(gauges).map(([name, [meaning, value]]) =>
        family(name, 'gauge', meaning, [['', value]]),
      ),
    ].join('');
  }
}

function family(
  name: string,
  kind: 'counter' | 'gauge',
  meaning: string,
  values: readonly (readonly [labels: string, value: number])[],
): string {
  const full = `palimpsest_${name}`;
  const rows = values.map(([labels, value]) => `${full}${labels && `{${labels}}`} ${value}\n`);
  return `# HELP ${full} ${meaning}\n# TYPE ${full} ${kind}\n${rows.join('')}`;
}
