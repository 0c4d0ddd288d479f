"The public interface changes only on purpose; ruff and the type checker find nothing."
import ast, subprocess, sys
from importlib import import_module
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'scripts'))
import api

def run(script, *args): return subprocess.run([sys.executable, root/'scripts'/script, *args], capture_output=True, text=True)

@pytest.mark.promise('The public interface changes only on purpose: names, signatures and options are as they are listed.')
def test_public_interface(record_property):
    done = run('api.py', '--check')
    assert done.returncode == 0, done.stdout + done.stderr
    names, options = api.listing.read_text().split('# commands\n')
    record_property('names', sum(l[0] not in ' #@' for l in names.splitlines() if l))
    record_property('options', len(options.splitlines()))

@pytest.mark.promise('ruff and the type checker find nothing in the package, and ruff nothing in scripts and tests.')
def test_lint(record_property):
    done = run('lint.py')
    assert done.returncode == 0, done.stdout + done.stderr
    record_property('lines', sum(len(m.read_text().splitlines()) for m in api.modules()))

def check(folder, lines, *options):
    "The numbers of the lines in which the type checker finds an error."
    (folder/'a.py').write_text('\n'.join(lines))
    command = ['pyrefly', 'check', '--preset', 'default', '--python-interpreter-path', sys.executable, '--output-format', 'min-text', *options, 'a.py']
    done = subprocess.run([Path(sys.executable).parent/command[0], *command[1:]], cwd=folder, capture_output=True, text=True)
    return [int(l.split(':')[1]) for l in done.stdout.splitlines() if l.startswith('ERROR')]

def test_lint_finds_what_is_wrong(tmp_path):
    "A method that is patched in, called with the wrong number of arguments, is noticed; the line that is named is the real one."
    source = 'from fastcore.basics import patch\n\nclass A:\n    pass\n\n@patch\ndef f(self: A, x: int) -> int: return x\n\nA().f(1, 2)\nA().f(1)\n'
    lines = api.merged(source)
    assert [n for line, n in lines if 'def f' in line] == [7] and '    def f(self, x: int) -> int: return x' in [line for line, _ in lines]
    assert [lines[i-1][1] for i in check(tmp_path, [line for line, _ in lines])] == [9]

def documented(module):
    "The public functions and classes of a module, and its lines."
    names = getattr(import_module(api.named(module)), '__all__', [])
    tree, lines = api.as_classes(module), [line for line, _ in api.merged(module.read_text())]
    return [n for n in tree.body if getattr(n, 'name', None) in names and not n.name.startswith('check_')], lines

@pytest.mark.parametrize('module', api.modules(), ids=api.named)
def test_public_names_say_what_they_are(module):
    "Each has a docstring, and each argument of a function a type, a default, or a comment beside it. (A `check_` is described by its exercise.)"
    nodes, lines = documented(module)
    assert not [n.name for n in nodes if not ast.get_docstring(n)]
    for f in nodes:
        if not isinstance(f, ast.FunctionDef): continue
        plain = f.args.args[:len(f.args.args) - len(f.args.defaults)]
        assert not [f'{f.name}({a.arg})' for a in plain if not a.annotation and '#' not in lines[a.lineno - 1]]

def test_users_see_types(tmp_path):
    "Whoever installs the package gets types for methods that were patched in, and for names that are imported late."
    lines = ['import torch', 'from jepa_tutorial.model import JEPA', 'from jepa_tutorial.planning import CEM',
             'z: torch.Tensor = JEPA().encode(torch.zeros(1, 2, 65, 65))', 'JEPA().encode()', 'steps: int = CEM().horizon', 'name: str = CEM().horizon']
    assert check(tmp_path, lines, '--search-path', root) == [5, 7]
    assert 'py.typed *.pyi */*.pyi' in (root/'settings.ini').read_text() and (api.package/'py.typed').exists()
