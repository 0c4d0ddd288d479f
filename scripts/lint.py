"""ruff and pyrefly over the package, ruff over scripts and tests: `python scripts/lint.py`; both read pyproject.toml.

They look at a copy of the package in which patched methods stand inside their classes (see scripts/api.py);
what they say names the lines of the real files."""
import re, shutil, subprocess, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from api import merged, modules, package, root

bin = Path(sys.executable).parent

def copied(folder: Path) -> dict[str, list[int]]:
    "Copy the package; name of a file -> the number that each of its lines had."
    numbers = {}
    for m in modules():
        lines, name = merged(m.read_text(encoding='utf-8')), m.relative_to(root).as_posix()
        (folder/name).parent.mkdir(parents=True, exist_ok=True)
        (folder/name).write_text('\n'.join(line for line, _ in lines), encoding='utf-8')
        numbers[name] = [i for _, i in lines]
    shutil.copy(package/'_modidx.py', folder/package.name)
    return numbers

def run(command: list, folder: Path, numbers: dict[str, list[int]]) -> bool:
    "Does the tool find nothing? What it finds is printed."
    done = subprocess.run([bin/command[0], *command[1:]], cwd=folder, capture_output=True, text=True, check=False)
    real = lambda found: f'{found[1]}:{numbers[found[1]][int(found[2]) - 1]}'
    said = done.stdout if not done.returncode or done.stdout else done.stderr
    print(f'{command[0]}:', re.sub(r'\b(jepa_tutorial/[\w/]+\.py):(\d+)', real, said.strip()) or 'nothing found')
    return done.returncode == 0

with TemporaryDirectory() as tmp:
    numbers = copied(Path(tmp))
    for name in ('scripts', 'tests', 'pyproject.toml', 'setup.py'): (Path(tmp)/name).symlink_to(root/name)
    good = [run(['ruff', 'check', '--no-cache', '--output-format', 'concise', 'jepa_tutorial', 'scripts', 'tests', 'setup.py'], Path(tmp), numbers),
            run(['pyrefly', 'check', '--python-interpreter-path', sys.executable, '--output-format', 'min-text', '--summary=none'], Path(tmp), numbers)]
sys.exit(not all(good))
