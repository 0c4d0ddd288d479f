"What an installed package must keep: light imports, one direction of imports, one place for metadata, a README that is current."
import json, subprocess, sys
from configparser import ConfigParser
from pathlib import Path
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

root = Path(__file__).resolve().parent.parent
package = root/'jepa_tutorial'
heavy = 'matplotlib pandas gymnasium ipywidgets wandb tensorboard submitit'.split()

# module: what it imports itself. What those import comes with it.
losses = 'variance_covariance time_similarity inverse_dynamics collapse'.split()
may_import = {
    'core': '', 'plotting': 'core', 'site': 'core', 'losses': 'core', 'planning': '',
    'two_rooms': 'core', 'trajectories': 'two_rooms',
    'encoder': 'core', 'predictor': 'core', 'jepa': 'encoder predictor',
    **{f'losses.{name}': 'losses jepa' for name in losses},
    'losses.objective': ' '.join(f'losses.{name}' for name in losses),
    'probing': 'jepa', 'checkpoints': 'probing',
    'training': 'trajectories losses.objective checkpoints', 'unrolling': 'trajectories checkpoints',
    'planning.cost': 'planning jepa', 'planning.cem': 'planning.cost', 'planning.mppi': 'planning.cem', 'planning.fast': 'planning.mppi',
    'planning.episodes': 'planning.fast checkpoints two_rooms',
    'refining': 'training', 'tracking': 'training', 'parallel': 'training',
    'cli': '*', 'reproduce': '*', 'bench': '*', 'checkers': '*', 'sweeps': '*',
}
model = 'encoder predictor jepa losses.objective probing checkpoints planning.cost planning.cem planning.mppi'.split()

def allowed(module):
    "`module` and all that it may bring with it."
    if may_import[module] == '*': return set(may_import)
    return {module}.union(*(allowed(m) for m in may_import[module].split()))

def modules():
    "The names of the package's modules, as files say."
    names = ['.'.join(f.relative_to(package).with_suffix('').parts).removesuffix('.__init__') for f in package.rglob('*.py')]
    return sorted(n for n in names if n not in ('__init__', '_modidx'))

# Torch is loaded once; each module is then imported in a child of its own.
probe = '''
import importlib, json, os, sys, torch
def loaded(name):
    r, w = os.pipe()
    if os.fork() == 0:
        try: importlib.import_module('jepa_tutorial.' + name); found = sorted(sys.modules)
        except BaseException as e: found = [f'error: {e!r}']
        with os.fdopen(w, 'w') as f: json.dump(found, f)
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f: found = json.load(f)
    os.wait()
    return found
print(json.dumps({name: loaded(name) for name in sys.argv[1:]}))
'''

@pytest.fixture(scope='module')
def imported():
    "module -> everything that importing it loads."
    out = subprocess.run([sys.executable, '-c', probe, *modules()], cwd=root, check=True, capture_output=True, text=True)
    return json.loads(out.stdout)

def test_every_module_has_a_place():
    assert set(modules()) <= set(may_import), 'a new module needs a line in may_import'

@pytest.mark.parametrize('module', modules())
def test_imports_run_one_way(imported, module):
    assert not [m for m in imported[module] if m.startswith('error')]
    ours = {m.removeprefix('jepa_tutorial.') for m in imported[module] if m.startswith('jepa_tutorial.')} - {'_modidx'}
    assert ours <= allowed(module), f'{module} must not import {sorted(ours - allowed(module))}'

@pytest.mark.parametrize('module', [m for m in model if m in modules()])
def test_the_model_is_light(imported, module):
    assert not set(heavy) & set(imported[module])

def test_the_jepa_loads_nothing_heavy():
    code = f'import sys, jepa_tutorial.jepa; print([m for m in {heavy} if m in sys.modules])'
    out = subprocess.run([sys.executable, '-c', code], cwd=root, check=True, capture_output=True, text=True)
    assert out.stdout.strip() == '[]'

def settings():
    config = ConfigParser(delimiters=['='])
    config.read(root/'settings.ini', encoding='utf-8')
    return config['DEFAULT']

def test_constraints_meet_the_requirements():
    "What `make test` and `make lab` install is pinned, and each pin is one that the settings allow."
    lines = [l for l in (root/'constraints.txt').read_text().splitlines() if l and not l.startswith('#')]
    pins = {canonical(name): version for name, version in (l.split('==') for l in lines)}
    for key in 'requirements dev_requirements lab_requirements'.split():
        for r in map(Requirement, settings()[key].split()):
            assert canonical(r.name) in pins, f'{r} ({key}) is not pinned in constraints.txt'
            assert r.specifier.contains(pins[canonical(r.name)]), f'{r} ({key}), but constraints.txt has {pins[canonical(r.name)]}'

def test_the_library_has_no_upper_bounds():
    bounds = [r for r in map(Requirement, settings()['requirements'].split()) for s in r.specifier if s.operator not in ('>=', '!=')]
    assert not bounds

def test_version_is_the_settings_version():
    import jepa_tutorial
    assert jepa_tutorial.__version__ == settings()['version']
    assert f"## {settings()['version']}" in (root/'CHANGELOG.md').read_text()

def test_commands_exist():
    "Each command names a function that can be imported."
    from importlib.metadata import EntryPoint
    for line in settings()['console_scripts'].split():
        name, _, value = line.partition('=')
        assert callable(EntryPoint(name, value, 'console_scripts').load())

def test_readme_is_current():
    out = subprocess.run([sys.executable, root/'scripts/readme.py', '--check'], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr

def test_urls_come_from_the_settings():
    "The owner's name stands in one place (and in the README, which is made)."
    user = settings()['user']
    tracked = [f for f in root.iterdir() if f.suffix in ('.md', '.yml', '.toml', '.py', '.in') and f.name != 'README.md']
    tracked += [*root.glob('.github/**/*.yaml'), *root.glob('nbs/*.yml'), *root.glob('scripts/*')]
    assert not [f.name for f in tracked if f.is_file() and f.name != 'nbdev.yml' and f'{user}.github.io' in f.read_text(encoding='utf-8')]
