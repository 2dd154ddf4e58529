import { nodeModule } from '@palimpsest/base';

/**
 * What tells a process from all others that had or will have its number: on Linux the moment it began, elsewhere only that
 * it is there. `undefined` when there is no such process.
 */
export function processStart(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      // The name of the program stands in parentheses and may hold anything; the 20th field after it is the start time.
      const text = nodeModule('node:fs').readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      // A process that has ended and waits to be collected works no more.
      return fields[0] === 'Z' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    process.kill(pid, 0);
    return 'there';
  } catch (error) {
    // Processes of others cannot be signalled, but they are there.
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'there' : undefined;
  }
}
