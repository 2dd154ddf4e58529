#!/usr/bin/env bash
# Builds @tensorflow/tfjs-node for the `tfjs-node` engine from what npm and PyPI hold, for machines that cannot fetch its
# library from storage.googleapis.com, which its own install does. Linux, x64, Python 3.9 to 3.11, g++; 0.9 GB of disk.
#
#   scripts/tfjs-node.sh FOLDER     builds FOLDER/node_modules/@tensorflow/tfjs-node
#
# Then, in the project that uses it:  npm install --ignore-scripts FOLDER/node_modules/@tensorflow/tfjs-node
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: scripts/tfjs-node.sh FOLDER" >&2; exit 2; }
tfjs=4.22.0
tensorflow=2.15.1
headers=1.9.0
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$folder"

echo "1/4 @tensorflow/tfjs-node $tfjs without its install script"
[ -f package.json ] || npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --loglevel=error "@tensorflow/tfjs-node@$tfjs" "node-api-headers@$headers"
package="$folder/node_modules/@tensorflow/tfjs-node"

echo "2/4 tensorflow-cpu $tensorflow"
python3 -m venv python
python/bin/pip download --quiet --no-deps --dest wheel "tensorflow-cpu==$tensorflow"

echo "3/4 its C library and headers"
library="$package/deps/lib"
mkdir -p "$library" "$package/lib/napi-v8"
python3 - wheel/*.whl "$package/deps" <<'SCRIPT'
import pathlib, sys, zipfile

wheel, target = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
for name in wheel.namelist():
    if name in ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2"):
        place = target / "lib" / pathlib.Path(name).name
    elif name.startswith("tensorflow/include/") and name.endswith(".h") and ("/tensorflow/c/" in name or "/tsl/" in name or "/tensorflow/core/platform/" in name):
        place = target / name.removeprefix("tensorflow/")
    else:
        continue
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(wheel.read(name))
SCRIPT

echo "4/4 the binding"
g++ -std=c++17 -O2 -fPIC -shared -DNAPI_VERSION=8 \
  -I node_modules/node-api-headers/include -I "$package/deps/include" -I "$package" \
  "$package/binding/tfjs_backend.cc" "$package/binding/tfjs_binding.cc" \
  -o "$package/lib/napi-v8/tfjs_binding.node" \
  -L "$library" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 -Wl,-rpath,'$ORIGIN/../../deps/lib'

TF_CPP_MIN_LOG_LEVEL=1 node -e "
const tf = require('@tensorflow/tfjs-node');
const [product] = tf.matMul([[1, 2]], [[3], [4]]).dataSync();
if (product !== 11) throw new Error('1 · 3 + 2 · 4 gives ' + product);
console.log('works: tfjs-node ' + tf.version['tfjs-node'] + ' on TensorFlow ' + tf.backend().binding.TF_Version + ', Node ' + process.version);
"
