import { existsSync } from 'node:fs';
import {
  type Alignment,
  formatCells,
  nearestName,
  profilesOf,
  type Registry,
  ResultStore,
  shipped,
  textTable,
} from '@palimpsest/harness';
import { InputError, probeEngines } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import type { Output } from '../terminal/output.js';
import { defineVerb } from '../verb.js';

interface Listing {
  readonly entries: readonly object[];
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly alignments?: readonly Alignment[];
}

/** What can be listed, in the order of the list of everything. */
const listings: Readonly<Record<string, (registry: Registry) => Listing | Promise<Listing>>> = {
  tasks({ tasks }) {
    const entries = tasks.map(({ name, family, contenders, title }) => ({
      name,
      family,
      models: contenders,
      title,
    }));
    const rows = entries.map(({ name, family, models, title }) => [name, family, models, title]);
    return { entries, headings: ['task', 'family', 'models', 'about'], rows };
  },
  models({ contenders: all }) {
    const entries = all.map(({ name, mechanism, kind, title, description }) => ({
      name,
      mechanism,
      kind,
      title,
      description,
    }));
    const rows = entries.map(({ name, kind, description }) => [name, kind, description]);
    return { entries, headings: ['model', 'learning', 'about'], rows };
  },
  shipped() {
    const entries = shipped().map(({ name, title, description }) => ({ name, title, description }));
    const rows = entries.map(({ name, description }) => [name, description]);
    return { entries, headings: ['trained model', 'about'], rows };
  },
  async profiles(registry) {
    const entries = (await profilesOf(registry)).map(({ name, description, cells }) => ({
      name,
      cells: cells.length,
      description,
    }));
    const rows = entries.map(({ name, cells, description }) => [name, String(cells), description]);
    return { entries, headings: ['profile', 'cells', 'about'], rows, alignments: ['left', 'right'] };
  },
  policies({ policies, textMemories }) {
    const entries = [...policies, ...textMemories].map(({ name, title, description }) => ({
      name,
      title,
      description,
    }));
    const rows = entries.map(({ name, description }) => [name, description]);
    return { entries, headings: ['policy', 'about'], rows };
  },
  async engines() {
    const entries = await probeEngines();
    const rows = entries.map(({ name, available, reason }) => [name, available ? 'yes' : 'no', reason]);
    return { entries, headings: ['engine', 'loads here', 'why'], rows };
  },
};

/** `palimpsest ls`: what can be evaluated, and what a result folder holds. */
export const list = defineVerb({
  path: ['ls'],
  description:
    'list tasks, models, trained models that ship, profiles and engines, or the cells of a result folder',
  arguments: [
    {
      name: 'what',
      description: 'tasks, models, shipped, profiles, engines, or a result folder',
      required: false,
    },
  ],
  schema: z.object(outputOptions),
  examples: ['palimpsest ls', 'palimpsest ls tasks --json', 'palimpsest ls palimpsest-report'],
  async run(_, { output, registry }, [what]) {
    if (what === undefined) await listEverything(output, registry);
    else if (what in listings) {
      const listing = await listings[what]!(registry);
      output.print(tableOf(listing, output));
      output.emit(listing.entries);
    } else await listFolder(what, output, registry);
    return ExitCode.ok;
  },
});

const tableOf = ({ headings, rows, alignments }: Listing, { width }: Output) =>
  textTable(headings, rows, alignments, width);

async function listEverything(output: Output, registry: Registry): Promise<void> {
  const everything: Record<string, readonly object[]> = {};
  for (const [name, make] of Object.entries(listings)) {
    const listing = await make(registry);
    everything[name] = listing.entries;
    output.print(`${tableOf(listing, output)}\n`);
  }
  output.print('`palimpsest describe <name>` tells more about one of them.');
  output.emit(everything);
}

async function listFolder(folder: string, output: Output, registry: Registry): Promise<void> {
  if (!existsSync(folder)) {
    const names = Object.keys(listings);
    const nearest = nearestName(folder, names);
    throw new InputError(
      `There is no list '${folder}'${nearest === undefined ? '' : ` (did you mean '${nearest}'?)`}, nor a folder of that name; there are ${names.join(', ')}.`,
    );
  }
  const results = await (await ResultStore.openExisting(folder)).list();
  output.print(
    results.length === 0 ? `'${folder}' holds no cell.` : formatCells(results, registry, output.width),
  );
  output.emit(results);
}
