"""ruff and pyrefly over the package, ruff over scripts and tests: `python scripts/lint.py`; both read pyproject.toml.

They look at a copy of the package in which patched methods stand inside their classes (see scripts/api.py);
what they say names the lines of the real files. How wide a line is, is asked of the files as they are,
without the list of names (`__all__`) that nbdev writes."""
import ast, re, shutil, subprocess, sys
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

def as_written(folder: Path):
    "Copy the package line by line, without its lists of names."
    for m in modules():
        source = m.read_text(encoding='utf-8')
        lines, target = source.split('\n'), folder/m.relative_to(root)
        for n in ast.parse(source).body:
            if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == '__all__':
                lines[n.lineno-1:n.end_lineno] = [''] * (n.end_lineno - n.lineno + 1)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text('\n'.join(lines), encoding='utf-8')

def run(command: list, folder: Path, numbers: dict[str, list[int]] | None = None) -> bool:
    "Does the tool find nothing? What it finds is printed."
    done = subprocess.run([bin/command[0], *command[1:]], cwd=folder, capture_output=True, text=True, check=False)
    real = lambda found: f'{found[1]}:{numbers[found[1]][int(found[2]) - 1]}'
    said = (done.stdout if not done.returncode or done.stdout else done.stderr).strip()
    if numbers: said = re.sub(r'\b(jepa_tutorial/[\w/]+\.py):(\d+)', real, said)
    print(f'{command[0]}:', said or 'nothing found')
    return done.returncode == 0

ruff = ['ruff', 'check', '--no-cache', '--output-format', 'concise']
pyrefly = ['pyrefly', 'check', '--python-interpreter-path', sys.executable, '--output-format', 'min-text', '--summary=none']

with TemporaryDirectory() as merged_copy, TemporaryDirectory() as written:
    folder, plain = Path(merged_copy), Path(written)
    numbers = copied(folder)
    as_written(plain)
    for name in ('scripts', 'tests', 'pyproject.toml', 'setup.py'): (folder/name).symlink_to(root/name)
    (plain/'pyproject.toml').symlink_to(root/'pyproject.toml')
    good = [run([*ruff, '--ignore', 'E501', 'jepa_tutorial', 'scripts', 'tests', 'setup.py'], folder, numbers),
            run([*ruff, '--select', 'E501', 'jepa_tutorial'], plain),
            run(pyrefly, folder, numbers)]
sys.exit(not all(good))
