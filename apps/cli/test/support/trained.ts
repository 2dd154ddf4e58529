import { join } from 'node:path';
import { emptyFolder, palimpsest } from './cli.js';

/** Flags of a model that trains in about a second. */
export const tiny = [
  '--d',
  '16',
  '--m',
  '32',
  '--hidden',
  '8',
  '--batch',
  '4',
  '--seq',
  '16',
  '--dataset',
  'default',
];

/** Trains a tiny model into a run folder and returns the folder. */
export async function trainedRun(...flags: string[]): Promise<string> {
  const folder = join(emptyFolder(), 'run');
  const { code, stderr } = await palimpsest([
    'train',
    'osam',
    ...tiny,
    '--steps',
    '20',
    '--out',
    folder,
    ...flags,
  ]);
  if (code !== 0) throw new Error(`Training failed with code ${code}: ${stderr}`);
  return folder;
}
