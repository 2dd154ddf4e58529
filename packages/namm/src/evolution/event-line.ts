import type { EvolutionEvent } from './evolution-event.js';

/** What a command line says about an event; nothing about those that only a program needs. */
export function eventLine(event: EvolutionEvent): string | undefined {
  if (event.type === 'start') {
    return `${event.parameters} parameters, ${event.settings.popSize} members; ${event.generation} of ${event.generations} generations done`;
  }
  if (event.type === 'stage') return `stage ${event.stage + 1}: ${event.tasks.join(', ')}`;
  if (event.type === 'generation') {
    const { generation, best, mean, sizes, seconds } = event;
    return `generation ${generation}: best ${best.toFixed(4)}, mean ${mean.toFixed(4)}, ${sizes.mean.toFixed(1)} tokens per head, ${seconds.toFixed(1)} s`;
  }
  if (event.type === 'evaluation') {
    const tasks = Object.entries(event.normalised).map(([task, share]) => `${task} ${share.toFixed(3)}`);
    return `evaluation ${event.generation}: fitness ${event.fitness.toFixed(4)} (${tasks.join(', ')})${event.isBest ? ', the best so far' : ''}`;
  }
  return undefined;
}
