// The original program's encoding of one vector (spec 5.4 and 5.5), written down as it is in plain loops: center, project, alpha,
// nearest center, tau, largest entries, and the decoded vector for the relative error. The baseline of bench/speed.mjs.

/** @param skeleton of a set in the preset "reference" @param v [D] */
export function plainEncode({ basis, mean, tDir, centers, dRes }, v) {
  const [r, d, k] = [basis.rows, basis.cols, centers.rows];
  const centred = new Float64Array(d);
  for (let j = 0; j < d; j++) centred[j] = v[j] - mean[j];
  const coefficients = new Float64Array(r);
  for (let i = 0; i < r; i++) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += basis.data[i * d + j] * centred[j];
    coefficients[i] = sum;
  }
  let alpha = 0;
  for (let i = 0; i < r; i++) alpha += coefficients[i] * tDir[i];
  const rest = new Float64Array(r);
  for (let i = 0; i < r; i++) rest[i] = coefficients[i] - alpha * tDir[i];
  let segId = 0;
  let t = -Infinity;
  for (let c = 0; c < k; c++) {
    let cosine = 0;
    for (let i = 0; i < r; i++) cosine += centers.data[c * r + i] * rest[i];
    if (cosine > t) {
      t = cosine;
      segId = c;
    }
  }
  for (let i = 0; i < r; i++) rest[i] -= t * centers.data[segId * r + i];
  const { residualIdx, residualVals } = largest(rest, dRes);
  const code = new Float64Array(r);
  for (let i = 0; i < r; i++) code[i] = alpha * tDir[i] + t * centers.data[segId * r + i];
  for (let i = 0; i < residualIdx.length; i++) code[residualIdx[i]] += residualVals[i];
  const decoded = new Float64Array(d);
  for (let j = 0; j < d; j++) decoded[j] = mean[j];
  for (let i = 0; i < r; i++) {
    const value = code[i];
    for (let j = 0; j < d; j++) decoded[j] += value * basis.data[i * d + j];
  }
  let error = 0;
  let energy = 0;
  for (let j = 0; j < d; j++) {
    error += (v[j] - decoded[j]) ** 2;
    energy += v[j] ** 2;
  }
  return { segId, alpha, t, residualIdx, residualVals, relErr: Math.sqrt(error / energy) };
}

/** The entries of largest magnitude, descending. */
function largest(rest, count) {
  const residualIdx = new Int32Array(count);
  const residualVals = new Float32Array(count);
  const taken = new Uint8Array(rest.length);
  for (let place = 0; place < count; place++) {
    let best = -1;
    for (let i = 0; i < rest.length; i++) {
      if (!taken[i] && (best < 0 || Math.abs(rest[i]) > Math.abs(rest[best]))) best = i;
    }
    taken[best] = 1;
    residualIdx[place] = best;
    residualVals[place] = rest[best];
  }
  return { residualIdx, residualVals };
}
