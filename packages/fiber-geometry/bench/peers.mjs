// The graph index beside hnswlib-node (C++, compiled when it is installed), same vectors, degree 16 and efConstruction 100: processor
// time of building, and of a search at the least ef of a list that reaches a recall@10. And the flat scan beside its brute force.
//   npm i --prefix /tmp/peers hnswlib-node@3.0.0
//   node bench/peers.mjs /tmp/peers [--rounds 3] [--count 20000] [--dimensions 16,384]
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { Rng } from '../../tensor-core/dist/index.js';
import { FlatIndex, HnswIndex } from '../dist/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    count: { type: 'string', default: '20000' },
    dimensions: { type: 'string', default: '16,384' },
  },
});
const [folder] = positionals;
if (!folder) throw new Error('Give the folder where hnswlib-node is installed: see the top of this file.');
const peer = createRequire(`${folder}/`)('hnswlib-node');
const [DEGREE, CONSTRUCTION, K, QUERIES] = [16, 100, 10, 500];
const EFS = [10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640, 900, 1280];
const RECALLS = [0.9, 0.95, 0.99];
const [n, rounds] = [Number(values.count), Number(values.rounds)];

/** CPU milliseconds of this process, which other programs on the machine do not lengthen as they do wall time. */
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const timed = (run) => {
  const before = cpu();
  const result = run();
  return { ms: cpu() - before, result };
};
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

function directions(d, clusters) {
  const rng = Rng.fromSeed(d + clusters);
  const normal = () => Float32Array.from({ length: d }, () => rng.normal());
  const centres = Array.from({ length: clusters }, normal);
  const raw = () =>
    clusters === 0 ? normal() : centres[rng.int(clusters)].map((value) => value + 0.25 * rng.normal());
  return () => {
    const vector = raw();
    const norm = Math.hypot(...vector);
    return vector.map((value) => value / norm);
  };
}

const kinds = {
  ours: {
    build(vectors, d) {
      const index = new HnswIndex(d, { degree: DEGREE, efConstruction: CONSTRUCTION });
      for (const [id, vector] of vectors.entries()) index.insert(id, vector);
      return (query, ef) => index.search(query, K, ef).map(({ id }) => id);
    },
    flat(vectors, d) {
      const index = new FlatIndex(d);
      for (const [id, vector] of vectors.entries()) index.insert(id, vector);
      return (query) => index.search(query, K).map(({ id }) => id);
    },
  },
  hnswlib: {
    build(vectors, d) {
      const index = new peer.HierarchicalNSW('ip', d);
      index.initIndex(vectors.length, DEGREE, CONSTRUCTION, 100);
      for (const [id, vector] of vectors.entries()) index.addPoint(Array.from(vector), id);
      return (query, ef) => {
        index.setEf(ef);
        return index.searchKnn(Array.from(query), K).neighbors;
      };
    },
    flat(vectors, d) {
      const index = new peer.BruteforceSearch('ip', d);
      index.initIndex(vectors.length);
      for (const [id, vector] of vectors.entries()) index.addPoint(Array.from(vector), id);
      return (query) => index.searchKnn(Array.from(query), K).neighbors;
    },
  },
};

for (const d of values.dimensions.split(',').map(Number)) {
  for (const clusters of [0, 64]) {
    const draw = directions(d, clusters);
    const vectors = Array.from({ length: n }, draw);
    const queries = Array.from({ length: QUERIES }, draw);
    const measured = { ours: { build: [], flat: [], at: {} }, hnswlib: { build: [], flat: [], at: {} } };
    let truth;
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 ? ['hnswlib', 'ours'] : ['ours', 'hnswlib']) {
        const flat = kinds[name].flat(vectors, d);
        for (const query of queries) flat(query);
        const exact = timed(() => queries.map(flat));
        measured[name].flat.push(exact.ms / QUERIES);
        truth ??= exact.result.map((ids) => new Set(ids));
        const { ms, result: search } = timed(() => kinds[name].build(vectors, d));
        measured[name].build.push((1000 * ms) / n);
        // A first round lets the engine compile.
        for (let i = 0; i < 20; i++) for (const query of queries) search(query, i < 10 ? 10 : 40);
        for (const ef of EFS) {
          const { ms: total, result } = timed(() => queries.map((query) => search(query, ef)));
          const hits = result.reduce((sum, ids, i) => sum + ids.filter((id) => truth[i].has(id)).length, 0);
          const recall = hits / (K * QUERIES);
          for (const asked of RECALLS) {
            const key = `${round} ${asked}`;
            if (recall >= asked && !measured[name].at[key])
              measured[name].at[key] = { ms: total / QUERIES, ef };
          }
        }
      }
    }
    const line = (what, a, b, unit) => {
      const ratio = (pick) => (pick(a) / pick(b)).toFixed(2);
      console.log(
        `d ${d} ${clusters ? 'clustered' : 'uniform'} ${what}: ours ${median(a).toFixed(3)} ${unit}, hnswlib ${median(b).toFixed(3)}: ${ratio(median)} (minima ${ratio((list) => Math.min(...list))})`,
      );
    };
    line('build', measured.ours.build, measured.hnswlib.build, 'µs per vector');
    line('flat scan', measured.ours.flat, measured.hnswlib.flat, 'ms');
    for (const asked of RECALLS) {
      const at = (name) =>
        Array.from({ length: rounds }, (_, round) => measured[name].at[`${round} ${asked}`]);
      const [ours, theirs] = [at('ours'), at('hnswlib')];
      if ([...ours, ...theirs].includes(undefined)) {
        console.log(
          `d ${d} recall ${asked}: ours ${ours.map((one) => one?.ef)}, hnswlib ${theirs.map((one) => one?.ef)}`,
        );
        continue;
      }
      const ms = (list) => list.map((one) => one.ms);
      line(`recall ${asked} (ef ${ours[0].ef}, ${theirs[0].ef})`, ms(ours), ms(theirs), 'ms');
    }
  }
}
