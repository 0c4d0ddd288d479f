"What an installed package must keep: light imports, one direction of imports, one place for metadata, a README that is current."
import ast, json, re, subprocess, sys
from configparser import ConfigParser
from pathlib import Path
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

root = Path(__file__).resolve().parent.parent
package = root/'jepa_tutorial'
heavy = 'matplotlib pandas ipywidgets wandb tensorboard submitit'.split()

# module -> the modules of this package that it imports itself, inside of functions too
ground = 'tools.checks tools.files tools.devices'
may_import = {
    # the ground floor knows nothing of this project
    'tools.checks': '', 'tools.files': 'tools.checks', 'tools.devices': 'tools.checks', 'tools.progress': '', 'tools.config': 'tools.checks tools.files',
    'tools.plotting': 'tools.checks', 'tools.widgets': 'tools.checks tools.plotting', 'tools.architecture': 'tools.checks tools.plotting', 'tools.site': 'tools.files _modidx',
    # the world knows no model, the model no world
    'world.two_rooms': 'tools.checks tools.devices', 'world.trajectories': 'tools.checks tools.devices world.two_rooms', 'world.environment': 'tools.checks tools.devices world.two_rooms',
    'model.normalizer': 'tools.checks', 'model.encoder': 'tools.checks tools.devices', 'model.predictor': 'tools.checks tools.devices', 'model.jepa': 'tools.checks model.normalizer model.encoder model.predictor',
    'losses.collapse': 'tools.checks', 'losses.variance_covariance': 'tools.checks', 'losses.time_similarity': 'tools.checks', 'losses.inverse_dynamics': 'tools.checks tools.devices',
    'losses.objective': 'tools.checks tools.devices model.jepa losses.variance_covariance losses.time_similarity losses.inverse_dynamics',
    # training knows both
    'training.settings': 'tools.checks tools.config world.trajectories',
    'training.probing': 'tools.checks tools.devices model.jepa', 'training.checkpoints': 'tools.checks tools.files tools.devices model.normalizer model.jepa training.probing',
    'training.resuming': 'tools.files tools.devices tools.config training.checkpoints training.settings tools.checks',
    'training.learner': 'tools.checks tools.files tools.devices world.trajectories model.jepa losses.objective training.probing training.checkpoints training.resuming training.settings tools.progress',
    'training.unrolling': 'tools.checks tools.plotting world.two_rooms world.trajectories model.jepa training.probing',
    'training.refining': 'tools.checks tools.progress tools.files tools.devices world.trajectories model.jepa training.settings training.checkpoints training.resuming training.learner',
    'training.distributed': 'world.trajectories losses.objective training.resuming training.learner',
    # so does planning, in its last chapter only
    'planning.cost': 'tools.checks', 'planning.cem': 'tools.checks', 'planning.mppi': 'tools.checks planning.cem',
    'planning.fast': 'tools.checks tools.devices model.predictor model.jepa planning.cost planning.cem', 'planning.agent': 'tools.checks tools.files tools.config planning.cost planning.cem planning.mppi planning.fast',
    'planning.episodes': 'tools.checks world.two_rooms model.jepa planning.cem planning.agent',
    # what is measured of a model, and what stands on that
    'tools.tasks': 'tools.checks tools.files world.two_rooms planning.episodes',
    'tools.inspecting': 'tools.devices world.two_rooms training.probing training.checkpoints',
    'tools.evaluation': 'tools.files tools.devices world.two_rooms world.trajectories training.checkpoints training.learner training.unrolling planning.agent planning.episodes tools.inspecting',
    'tools.pictures': 'tools.checks tools.progress tools.files tools.devices tools.plotting world.two_rooms world.trajectories training.checkpoints training.unrolling',
    'tools.rows': 'tools.checks tools.config',
    'tools.statistics': 'tools.checks tools.devices',
    'tools.fingerprints': 'tools.devices tools.config world.two_rooms training.settings training.learner planning.fast planning.agent planning.episodes tools.tasks tools.rows',
    'tools.reproduce': 'tools.checks tools.files tools.devices training.settings training.checkpoints training.refining planning.agent planning.episodes tools.tasks tools.inspecting tools.evaluation tools.rows tools.fingerprints',
    'tools.tracking': 'tools.checks tools.progress tools.files training.learner training.refining tools.pictures', 'tools.sweeps': 'tools.checks tools.files tools.config training.settings',
    'tools.runner': 'tools.checks tools.files tools.devices tools.config training.settings training.resuming training.learner tools.evaluation tools.tracking tools.sweeps',
    'tools.report': 'tools.files tools.config tools.plotting training.resuming tools.sweeps tools.pictures',
    'tools.bench': 'tools.devices tools.config world.two_rooms world.trajectories model.encoder model.predictor model.jepa training.checkpoints training.learner training.settings training.refining planning.cost planning.mppi planning.fast planning.agent planning.episodes tools.reproduce',
}
everything = 'tools.commands'          # the only one that may import anything
heavy_model = 'matplotlib omegaconf jepa_tutorial.world.environment'.split()

def modules():
    "The names of the package's modules, as files say."
    names = ['.'.join(f.relative_to(package).with_suffix('').parts) for f in package.rglob('*.py') if f.name != '__init__.py']
    return sorted(n for n in names if n != '_modidx')

def imports(source: str, module: str) -> set:
    "What a module of the package imports of it, wherever the statement stands: `import`, `from`, `import_module('...')`."
    found, parts = set(), module.split('.')
    for n in ast.walk(ast.parse(source)):
        if isinstance(n, ast.Import): found |= {a.name for a in n.names}
        if isinstance(n, ast.ImportFrom):
            base = '.'.join(['jepa_tutorial', *parts[:len(parts) - n.level]]) if n.level else ''
            home = '.'.join(p for p in (base, n.module) if p)
            found |= {home, *(f'{home}.{a.name}' for a in n.names)}
        if isinstance(n, ast.Call) and getattr(n.func, 'id', getattr(n.func, 'attr', '')) in ('import_module', '__import__'): found |= {a.value for a in n.args if isinstance(a, ast.Constant)}
    ours = {f.removeprefix('jepa_tutorial.') for f in found if str(f).startswith('jepa_tutorial.')}
    return {m for m in [*modules(), '_modidx'] if m in ours}

def source(module): return (package/module.replace('.', '/')).with_suffix('.py').read_text(encoding='utf-8')

def wrong(module: str, text: str) -> set:
    "What `module` imports and may not."
    if module == everything: return set()
    free = module.startswith('tools.checkers.')      # they hold the answers to exercises of every page, and nobody imports them
    return {m for m in imports(text, module) - {module} if m.startswith(everything) or m.startswith('tools.checkers') and not free or not free and m not in may_import[module].split()}

def test_every_module_has_a_place():
    assert {m for m in modules() if not m.startswith('tools.checkers.')} == {*may_import, everything}, 'a module needs its line in may_import'

@pytest.mark.parametrize('module', modules())
def test_a_module_imports_what_its_line_says(module):
    assert not wrong(module, source(module)), f'{module} must not import {sorted(wrong(module, source(module)))}'
    assert module not in may_import or set(may_import[module].split()) == imports(source(module), module) - {module}, 'its line names what it no longer imports'

def test_no_circle():
    "Take away what imports nothing that is left, again and again: in the end nothing must be left."
    left = {m: imports(source(m), m) - {m} for m in modules()}
    while free := [m for m, needs in left.items() if not needs & left.keys()]: left = {m: n for m, n in left.items() if m not in free}
    assert not left, f'a circle of imports: {sorted(left)}'

@pytest.mark.parametrize('module, line', [('model.jepa', 'from ..world.two_rooms import move'), ('planning.cost', 'def f():\n    from ..tools.commands import jepa_plan'), ('world.trajectories', 'import jepa_tutorial.training.learner'),
    ('losses.objective', 'from importlib import import_module\nimport_module("jepa_tutorial.tools.plotting")'), ('tools.checks', 'from . import config'), ('training.learner', 'from ..tools import sweeps')])
def test_an_import_upwards_is_noticed(module, line): assert wrong(module, f'{source(module)}\n{line}\n')

def names_of_others(text, module):
    "Private names that a module takes from another, or from a part."
    for n in ast.walk(ast.parse(text)):
        if isinstance(n, ast.ImportFrom) and (n.level or (n.module or '').startswith('jepa_tutorial')): yield from (a.name for a in n.names if a.name.startswith('_') and a.name != '_modidx')

@pytest.mark.parametrize('module', modules())
def test_no_private_name_is_imported(module): assert not [*names_of_others(source(module), module)]

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
    "module or part -> everything that importing it loads."
    out = subprocess.run([sys.executable, '-c', probe, *modules(), *parts], cwd=root, check=True, capture_output=True, text=True)
    return json.loads(out.stdout)

parts = 'world model losses training planning tools'.split()

@pytest.mark.parametrize('module', [*modules(), *parts])
def test_every_module_can_be_imported_alone(imported, module): assert not [m for m in imported[module] if m.startswith('error')]

@pytest.mark.parametrize('part', parts)
def test_parts_are_light(imported, part): assert not set(heavy) & set(imported[part])

def test_help_needs_no_torch():
    "The commands themselves load none of the libraries behind them, nor does the part that they are in."
    code = 'import sys, jepa_tutorial.tools.commands; print(*({"torch", "omegaconf", "jaxtyping"} & sys.modules.keys()))'
    assert subprocess.run([sys.executable, '-c', code], cwd=root, check=True, capture_output=True, text=True).stdout.split() == []

def test_the_tools_hand_on_what_they_say():
    from jepa_tutorial import tools
    from jepa_tutorial.tools import devices
    assert {*tools.__all__} == {*devices.__all__, 'load_config'} and all(hasattr(tools, n) for n in tools.__all__) and not hasattr(tools, 'nothing')

@pytest.mark.parametrize('part', ['model', 'losses'])
def test_the_model_is_lighter(imported, part): assert not set(heavy_model) & set(imported[part])

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

def test_versions_agree():
    "The package, the settings, the citation and the newest entry of the changelog speak of one version."
    import jepa_tutorial
    root = package.parent
    read = lambda name, pattern: re.search(pattern, (root/name).read_text(encoding='utf-8'), re.M)[1]
    said = dict(settings=read('settings.ini', r'^version = (.+)$'), citation=read('CITATION.cff', r'^version: (.+)$'), changelog=read('CHANGELOG.md', r'^## ([\d.]+)'))
    assert set(said.values()) == {jepa_tutorial.__version__}, said

def test_new_names_of_the_changelog_exist():
    "What the table calls the new name of something is a name of today, and the old one isn't."
    table = re.findall(r'^\| (`.+) \| (`.+) \|$', (package.parent/'CHANGELOG.md').read_text(encoding='utf-8'), re.M)
    code = '\n'.join(f.read_text(encoding='utf-8') for f in package.rglob('*') if f.suffix in ('.py', '.yaml')) + ' '.join(f.stem for f in package.rglob('*.yaml')) + ' jepa_tutorial/results'
    lost = {n for _, new in table for n in re.findall(r'`\.?([\w./]+)`', new) if not re.search(rf"\b{re.escape(n.split('.')[-1])}\b", code)}
    assert len(table) > 20 and not lost, lost
