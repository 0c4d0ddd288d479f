"Wheel and source distribution, in an environment that has nothing else, used from another folder."
import json, os, re, subprocess, sys, tarfile, zipfile
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.wheel

def run(*args, **kwargs):
    alone = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}                   # nothing but the environment's own packages
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, check=False, env=alone, **kwargs)
    assert done.returncode == 0, f'{args}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}'
    return done.stdout

@pytest.fixture(scope='module')
def dist(tmp_path_factory):
    "A folder with both; the wheel is built from the source distribution."
    out = tmp_path_factory.mktemp('dist')
    run(sys.executable, '-m', 'build', '--outdir', out, root)
    return out

@pytest.fixture(scope='module')
def wheel(dist): return next(dist.glob('*.whl'))

@pytest.fixture(scope='module')
def sdist(dist): return next(dist.glob('*.tar.gz'))

@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    "The bin folder of an environment with the wheel, the library's own requirements, and the tested torch."
    env = tmp_path_factory.mktemp('env')
    torch = re.search(r'^torch==.*', (root/'constraints.txt').read_text(), flags=re.M)[0]
    run(sys.executable, '-m', 'venv', env)
    run(env/'bin/pip', 'install', '-qq', '--disable-pip-version-check', torch, wheel)
    return env/'bin'

def test_wheel_holds_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split('/')[0] for n in names} == {'jepa_tutorial', f'{wheel.name.split("-py3")[0]}.dist-info'}
    shipped = {f.relative_to(root).as_posix() for kind in ('configs/**/*.yaml', 'weights/*', 'tasks/*', 'results/**/*.json', 'results/*.csv', '**/*.py', '**/*.pyi', 'py.typed')
               for f in (root/'jepa_tutorial').glob(kind) if f.is_file()}
    assert shipped <= set(names)
    needless = [n for n in names if n.endswith(('.ipynb', '.npz', '.csv', '.gif', '.png')) and '/tasks/' not in n and '/results/' not in n or '/tests/' in n]
    assert not needless and wheel.stat().st_size < 40e6

def test_sdist_holds_what_the_wheel_is_made_of(sdist, wheel):
    "Sources, and the papers of the project; no pages or tests."
    with tarfile.open(sdist) as t: names = {n.partition('/')[2] for n in t.getnames()}
    assert {n for n in zipfile.ZipFile(wheel).namelist() if n.startswith('jepa_tutorial/')} <= names
    assert {'settings.ini', 'setup.py', 'pyproject.toml', 'LICENSE', 'LICENSES.md', 'README.md', 'CHANGELOG.md', 'SECURITY.md'} <= names
    assert not [n for n in names if n.split('/')[0] in ('nbs', 'tests', 'scripts', 'runs', '.github')] and sdist.stat().st_size < 40e6

def test_environment_is_only_the_library(installed):
    names = {p['name'].lower() for p in json.loads(run(installed/'pip', 'list', '--format', 'json'))}
    assert not names & {'nbdev', 'jupyterlab', 'ipykernel', 'notebook', 'wandb', 'submitit', 'pytest'}
    run(installed/'pip', 'check')

@pytest.mark.parametrize('command', ['jepa_train', 'jepa_unroll', 'jepa_plan'])
def test_commands_explain_themselves(installed, tmp_path, command):
    assert 'Example: ' + command in ' '.join(run(installed/command, '--help', cwd=tmp_path).split())

@pytest.mark.promise('Wheel and source distribution install into an empty environment, hold the package alone, and solve a task from there.')
def test_installed_package_works(installed, sdist, tmp_path, record_property):
    "Both, one after the other: everything is imported, a task is planned, two steps are trained."
    for name, again in dict(wheel=(), sdist=('--force-reinstall', '--no-deps', sdist)).items():
        if again: run(installed/'pip', 'install', '-qq', '--disable-pip-version-check', *again)
        assert 'imports, plans and trains' in run(installed/'python', '-P', root/'tests/smoke.py', cwd=tmp_path), name
    record_property('MB', round(sdist.stat().st_size/1e6, 1))

def test_gymnasium_knows_the_room(installed, tmp_path):
    "Gymnasium loads no plugins by itself: the part before the colon is what it imports."
    code = "import gymnasium, jepa_tutorial; print(gymnasium.make('jepa_tutorial/TwoRooms-v0').reset(seed=0)[0].shape)"
    assert run(installed/'python', '-c', code, cwd=tmp_path).strip() == '(2, 65, 65)'
