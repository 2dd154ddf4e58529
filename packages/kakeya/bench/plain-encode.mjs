// The original program's encoding of one vector (spec 5.4 and 5.5), written down as it is: center, project, alpha, nearest
// center, tau, largest entries, and the decoded vector for the relative error. The baseline of bench/speed.mjs.

/** @param skeleton of a set in the preset "reference" @param v [D] */
export function plainEncode({ basis, mean, tDir, centers, dRes }, v) {
  const [r, d, k] = [basis.rows, basis.cols, centers.rows];
  const coefficients = new Float64Array(r);
  for (let i = 0; i < r; i++) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += basis.data[i * d + j] * (v[j] - mean[j]);
    coefficients[i] = sum;
  }
  let alpha = 0;
  for (let i = 0; i < r; i++) alpha += coefficients[i] * tDir[i];
  const rest = new Float64Array(r);
  for (let i = 0; i < r; i++) rest[i] = coefficients[i] - alpha * tDir[i];
  let [segId, best] = [0, -Infinity];
  for (let c = 0; c < k; c++) {
    let cosine = 0;
    for (let i = 0; i < r; i++) cosine += centers.data[c * r + i] * rest[i];
    if (cosine > best) [segId, best] = [c, cosine];
  }
  for (let i = 0; i < r; i++) rest[i] -= best * centers.data[segId * r + i];
  const residualIdx = [...rest.keys()].sort((a, b) => Math.abs(rest[b]) - Math.abs(rest[a])).slice(0, dRes);
  const residualVals = residualIdx.map((index) => rest[index]);
  const decoded = Float64Array.from(mean);
  for (let i = 0; i < r; i++) {
    const kept = residualIdx.includes(i) ? rest[i] : 0;
    const value = alpha * tDir[i] + best * centers.data[segId * r + i] + kept;
    for (let j = 0; j < d; j++) decoded[j] += value * basis.data[i * d + j];
  }
  let [error, energy] = [0, 0];
  for (let j = 0; j < d; j++) {
    error += (v[j] - decoded[j]) ** 2;
    energy += v[j] ** 2;
  }
  return { segId, alpha, t: best, residualIdx, residualVals, relErr: Math.sqrt(error / energy) };
}
